"""Save an agent's draft, which all its builders share: nobody overwrites changes they have not seen."""

from typing import Any

from django.db import transaction

from agents_app.definition import check_one_prompt, checked, fields_of
from agents_app.grants.pinned import pinned
from agents_app.models import Agent, AgentDraft
from agents_app.services.common import check_draft_is, locked, record_change
from console.audit import actions
from console.audit.services import changes
from console.core.clock import now
from console.teams.actors import Actor


@transaction.atomic
def save_draft(*, actor: Actor, agent: Agent, seen_revision: int, **fields: Any) -> AgentDraft:
    """Keep the given fields of `Definition`; the others stay. It may be unfinished: publishing asks for the rest.

    `seen_revision` is the draft's revision the person worked on.
    """
    agent = locked(agent)
    draft = agent.draft
    check_draft_is(draft, seen_revision)
    before = fields_of(draft)
    after = before | pinned(agent.team, checked(fields))
    check_one_prompt(after)
    if before == after:
        return draft
    for name, value in after.items():
        setattr(draft, name, value)
    draft.revision += 1
    draft.changed_by_name, draft.changed_at = actor.name[:200], now()
    draft.save()
    record_change(actions.AGENT_SAVED, actor, agent, changes(before, after))
    return draft
