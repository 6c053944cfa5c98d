"""What services of agents share: locking, checks for stale pages, and audit records."""

from typing import Any

from agents_app.errors import StaleAgent
from agents_app.models import Agent, AgentDraft, AgentMove, Broker, Tool, ToolServer
from console.audit.actions import Action
from console.audit.services import record
from console.teams.actors import Actor


def locked(agent: Agent) -> Agent:
    """Return the agent with its row locked until commit, so that changes of one agent take turns."""
    row = (
        Agent.objects.select_for_update(no_key=True, of=("self",))
        .select_related("team", "live", "draft")
        .get(pk=agent.pk)
    )
    if row.archived_at is not None:
        raise StaleAgent(f"{row.name} was archived at {row.archived_at:%H:%M:%S} UTC.")
    return row


def record_change(
    action: Action, actor: Actor, target: Agent | Tool | ToolServer | Broker, detail: dict[str, Any], reason: str = ""
) -> None:
    """Record a change of an object that its team knows by its slug."""
    record(action, actor=actor, target=target, target_name=target.slug, detail=detail, reason=reason)


def check_draft_is(draft: AgentDraft, seen_revision: int) -> None:
    """Refuse a change based on an older state of the draft."""
    if draft.revision != seen_revision:
        raise StaleAgent(
            f"{draft.changed_by_name} changed the draft at {draft.changed_at:%H:%M:%S} UTC, after you opened it."
            " Look again before you decide."
        )


def stale_move(agent: Agent) -> StaleAgent:
    """Return the refusal of a change based on another live version than the present one, naming who moved it."""
    last = AgentMove.objects.filter(agent=agent).select_related("to_version").first()
    if last is None or last.to_version is None:
        return StaleAgent(f"No version of {agent.name} is live. Look again before you decide.")
    why = f" ({last.reason})" if last.reason else ""
    return StaleAgent(
        f"{last.moved_by_name} made version {last.to_version.number} live at {last.moved_at:%H:%M:%S} UTC{why}."
        " Look again before you decide."
    )
