"""What writes of agents, and of what they are made of, begin and end with."""

from typing import Any

from agents_app.errors import StaleAgent
from agents_app.models import Agent, AgentDraft, AgentMove, Broker, Tool, ToolServer
from console.audit.actions import Action
from console.audit.services import record
from console.teams.actors import Actor


def locked(agent: Agent) -> Agent:
    """Return the agent as it is now, its row ours until commit: writers of one agent take their turn."""
    found = (
        Agent.objects.select_for_update(no_key=True, of=("self",))
        .select_related("team", "live", "draft")
        .get(pk=agent.pk)
    )
    if found.archived_at is not None:
        raise StaleAgent(f"{found.name} was archived at {found.archived_at:%H:%M:%S} UTC.")
    return found


def note(
    action: Action, actor: Actor, target: Agent | Tool | ToolServer | Broker, detail: dict[str, Any], reason: str = ""
) -> None:
    """Record a change of what its team knows by its short name."""
    record(action, actor=actor, target=target, target_name=target.slug, detail=detail, reason=reason)


def check_draft_is(draft: AgentDraft, seen_revision: int) -> None:
    """Refuse who saw an older draft than there is."""
    if draft.revision != seen_revision:
        raise StaleAgent(
            f"{draft.changed_by_name} changed the draft at {draft.changed_at:%H:%M:%S} UTC, after you opened it."
            " Look again and decide anew."
        )


def stale_move(agent: Agent) -> StaleAgent:
    """Return the refusal of who saw another version live than there is, saying who moved it since."""
    last = AgentMove.objects.filter(agent=agent).select_related("to_version").first()
    if last is None or last.to_version is None:
        return StaleAgent(f"No version of {agent.name} is live. Look again and decide anew.")
    why = f" ({last.reason})" if last.reason else ""
    return StaleAgent(
        f"{last.moved_by_name} made version {last.to_version.number} live at {last.moved_at:%H:%M:%S} UTC{why}."
        " Look again and decide anew."
    )
