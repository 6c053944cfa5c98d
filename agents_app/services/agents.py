"""Create, change, archive and delete agents. A slug never changes, because callers store it."""

import re
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from agents_app import where_used
from agents_app.definition import checked
from agents_app.errors import StillUsed
from agents_app.grants.pinned import pinned
from agents_app.models import Agent, AgentDraft, Audience
from agents_app.services.common import locked, record_change
from console.audit import actions
from console.audit.services import changes
from console.core.clock import now
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import insert
from console.teams.actors import Actor
from console.teams.models import Team

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
# First segments the console's own pages have.
_RESERVED = frozenset({"new", "templates"})
LONGEST_NAME, LONGEST_DESCRIPTION = 80, 300


def check_slug(slug: str) -> str:
    if not _SLUG.fullmatch(slug):
        raise BadInput(
            f"{slug[:60]!r} cannot be an agent's short name; write up to 60 lower-case letters, digits and hyphens.",
            param="slug",
        )
    if slug in _RESERVED:
        raise BadInput(f"{slug!r} is the address of a page; choose another short name.", param="slug")
    # Records name agents by slug and number, so a name does not come to mean another agent.
    if Agent.objects.filter(slug=slug).exists():
        raise Conflict(f"The short name {slug!r} is taken, or was by an agent that is archived.", param="slug")
    return slug


def _check_words(name: str, description: str) -> tuple[str, str]:
    name, description = name.strip(), description.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"Give the agent a name of up to {LONGEST_NAME} characters.", param="name")
    if len(description) > LONGEST_DESCRIPTION or not description.isprintable():
        raise BadInput(f"The description is one line of up to {LONGEST_DESCRIPTION} characters.", param="description")
    return name, description


def _check_audience(team: Team, audience: str, shared_with: Iterable[Team]) -> list[Team]:
    """Return the teams an agent is shared with besides its own: those given with the audience `teams`, else none."""
    if audience not in Audience.values:
        raise BadInput(f"audience must be one of {', '.join(Audience.values)}.", param="audience")
    teams = [one for one in shared_with if one.pk != team.pk] if audience == Audience.TEAMS else []
    if audience == Audience.TEAMS and not teams:
        raise BadInput("Choose at least one other team, or share the agent with its own.", param="shared_with")
    return teams


def _logged(agent: Agent) -> dict[str, Any]:
    return {
        "name": agent.name,
        "description": agent.description,
        "audience": agent.audience,
        "shared_with": sorted(agent.shared_with.values_list("slug", flat=True)),
    }


@transaction.atomic
def create_agent(
    *,
    actor: Actor,
    team: Team,
    slug: str,
    name: str,
    description: str = "",
    audience: str = Audience.TEAM,
    shared_with: Iterable[Team] = (),
    **definition: Any,
) -> Agent:
    """Make an agent with its first draft, from fields of `Definition`. It answers nobody until it is published."""
    name, description = _check_words(name, description)
    teams = _check_audience(team, audience, shared_with)
    agent = Agent(team=team, slug=check_slug(slug), name=name, description=description, audience=audience)
    insert(agent, Conflict(f"The short name {slug!r} is taken.", param="slug"))
    agent.shared_with.set(teams)
    fields = pinned(team, checked(definition))
    agent.draft = AgentDraft.objects.create(agent=agent, changed_by_name=actor.name[:200], **fields)
    record_change(actions.AGENT_CREATED, actor, agent, {"after": _logged(agent) | {"slug": slug} | fields})
    return agent


@transaction.atomic
def change_agent(
    *,
    actor: Actor,
    agent: Agent,
    name: str | None = None,
    description: str | None = None,
    audience: str | None = None,
    shared_with: Iterable[Team] | None = None,
    seen_revision: int | None = None,
) -> Agent:
    """Change what an agent is called and who may use it; from the next call on.

    With `seen_revision`, the agent's `settings_revision`, Overtaken when somebody changed any of it since.
    """
    agent = locked(agent)
    check_revision(f"the settings of {agent}", agent.settings_revision, seen_revision)
    before = _logged(agent)
    agent.name, agent.description = _check_words(
        agent.name if name is None else name, agent.description if description is None else description
    )
    if audience is not None or shared_with is not None:
        audience = agent.audience if audience is None else audience
        teams = _check_audience(agent.team, audience, agent.shared_with.all() if shared_with is None else shared_with)
        agent.audience = audience
        agent.shared_with.set(teams)
    after = _logged(agent)
    if before != after:
        agent.settings_revision += 1
        agent.save(update_fields=["name", "description", "audience", "settings_revision"])
        record_change(actions.AGENT_CHANGED, actor, agent, changes(before, after))
    return agent


def _check_free(agent: Agent) -> None:
    """Refuse to take away what something still speaks with; of other teams it is only counted, names are theirs."""
    uses = [use for use in where_used.uses_of(agent) if use.holds]
    if not uses:
        return
    near = [f"{use.kind} {use.name}" for use in uses if use.team_id == agent.team_id]
    far = len(uses) - len(near)
    parts = near[:5] + ([f"{len(near) - 5} more"] if len(near) > 5 else []) + ([f"{far} of other teams"] if far else [])
    raise StillUsed(f"{agent.name} is in use: {', '.join(parts)}. Give them another agent first.")


@transaction.atomic
def archive_agent(*, actor: Actor, agent: Agent) -> None:
    """Take an agent out of use, from the next call on. Its versions and conversations stay for the log."""
    agent = locked(agent)
    _check_free(agent)
    agent.archived_at = now()
    agent.save(update_fields=["archived_at"])
    live = agent.live.number if agent.live else None
    record_change(actions.AGENT_ARCHIVED, actor, agent, {"before": _logged(agent) | {"live": live}})


@transaction.atomic
def delete_agent(*, actor: Actor, agent: Agent) -> None:
    """Delete an agent that was never published, so that no call, record or conversation speaks of it."""
    agent = locked(agent)
    if agent.versions.exists():
        raise StillUsed(f"{agent.name} was published, so records speak of it; archive it instead.")
    _check_free(agent)
    record_change(actions.AGENT_DELETED, actor, agent, {"before": _logged(agent)})
    agent.delete()
