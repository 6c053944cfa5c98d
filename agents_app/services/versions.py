"""Publish a draft as an immutable version, and roll back to an older one."""

from typing import Any

from django.db import transaction
from django.db.models import Max

from agents_app.definition import fields_of
from agents_app.errors import NothingChanged, NotReady
from agents_app.models import Agent, AgentMove, AgentVersion
from agents_app.readiness import problems
from agents_app.services.common import check_draft_is, locked, record_change, stale_move
from console.audit import actions
from console.audit.actions import Action
from console.audit.services import changes
from console.core.errors import BadInput
from console.teams.actors import Actor
from prompts_app.services.common import check_reason, person_of

_LONGEST_MESSAGE = 500


def _move(action: Action, *, actor: Actor, agent: Agent, to: AgentVersion, reason: str) -> None:
    """Make a version of a locked agent live, and keep who did it and why."""
    was, agent.live = agent.live, to
    agent.revision += 1
    agent.save(update_fields=["live", "revision"])
    AgentMove.objects.create(
        agent=agent,
        from_version=was,
        to_version=to,
        reason=reason,
        moved_by=person_of(actor),
        moved_by_name=actor.name[:200],
    )
    before: dict[str, Any] = {"live": was.number, **fields_of(was)} if was else {"live": None}
    detail = changes(before, {"live": to.number, **fields_of(to)})
    record_change(action, actor, agent, detail, reason=reason)


@transaction.atomic
def publish_agent(
    *, actor: Actor, agent: Agent, message: str, seen_revision: int, seen_live: int | None = None
) -> AgentVersion:
    """Make the draft the next version and let it answer from the next call on.

    `seen_revision` is the draft's revision the decision was made on; `seen_live`, where given, the number of the
    version that was live then, 0 for none.
    """
    message = message.strip()
    if len(message) > _LONGEST_MESSAGE:
        raise BadInput(f"The message has {len(message)} characters; {_LONGEST_MESSAGE} is the most.", param="message")
    agent = locked(agent)
    check_draft_is(agent.draft, seen_revision)
    if seen_live is not None and seen_live != (agent.live.number if agent.live else 0):
        raise stale_move(agent)
    fields = fields_of(agent.draft)
    if agent.live is not None and fields == fields_of(agent.live):
        raise NothingChanged(f"The draft is what version {agent.live.number} says already.")
    if faults := problems(agent.team, agent.draft):
        raise NotReady(faults)
    person = person_of(actor)
    highest = agent.versions.aggregate(highest=Max("number"))["highest"] or 0
    version = AgentVersion.objects.create(
        agent=agent,
        number=highest + 1,
        message=message,
        author_id=person.pk if person else None,
        author_name=actor.name[:200],
        **fields,
    )
    _move(actions.AGENT_PUBLISHED, actor=actor, agent=agent, to=version, reason=message)
    agent.draft.base, agent.draft.revision = version, agent.draft.revision + 1
    agent.draft.save(update_fields=["base", "revision"])
    return version


@transaction.atomic
def roll_back_agent(*, actor: Actor, agent: Agent, to: AgentVersion, reason: str, seen_revision: int) -> Agent:
    """Let an older version answer again, from the next call on. The draft stays as it is.

    `seen_revision` is the agent's revision the decision was made on.
    """
    reason = check_reason(reason)
    agent = locked(agent)
    if to.agent_id != agent.pk:
        raise BadInput(f"{to} is not a version of {agent.slug}.", param="to")
    if agent.revision != seen_revision:
        raise stale_move(agent)
    if agent.live_id == to.pk:
        raise NothingChanged(f"Version {to.number} is live already.")
    if faults := problems(agent.team, to):
        raise NotReady(faults)
    _move(actions.AGENT_ROLLED_BACK, actor=actor, agent=agent, to=to, reason=reason)
    return agent
