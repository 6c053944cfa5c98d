"""The frame of all pages of an agent: name, tabs, buttons, list of versions."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from agents_app import access, where_used
from agents_app.models import Agent
from agents_app.queries import detail
from agents_app.queries.listing import is_changed
from agents_app.readiness import checks, problems
from console.teams.callers import TeamRequest
from console.teams.models import Environment

ACTIVE = "agents"


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    url: str
    count: int | None
    is_current: bool


def frame(request: TeamRequest, agent: Agent, tab: str) -> dict[str, Any]:
    """Return the context every page of an agent begins with."""
    versions = detail.versions_of(agent)
    may_edit = request.caller.may("build", agent.team_id)
    is_inside = request.caller.may("view_team", agent.team_id)
    may_use = agent.live is not None and access.may(request.caller, agent, "use")
    # Asked on most pages only where there is something to publish or to try.
    faults = SimpleLazyObject(lambda: checks(agent.team, agent.draft))
    is_ready = SimpleLazyObject(lambda: all(check.is_met for check in faults))
    return {
        "active": ACTIVE,
        "agent": agent,
        "draft": agent.draft,
        "live": agent.live,
        "versions": versions,
        "next_number": (versions[0].number if versions else 0) + 1,
        "is_changed": is_changed(agent),
        "checks": faults,
        "is_ready": is_ready,
        "may_edit": may_edit,
        "may_use": may_use,
        "may_start": may_use or (may_edit and (is_ready or not problems(agent.team, agent.draft, Environment.SANDBOX))),
        "is_inside": is_inside,
        "tabs": _tabs(agent, tab, len(where_used.uses_of(agent)), is_inside=is_inside, has_two=len(versions) > 1),
    }


def _tabs(agent: Agent, current: str, uses: int, *, is_inside: bool, has_two: bool) -> list[Tab]:
    """Return the tabs; people it is shared with see what it is, not how its team goes about it."""

    def tab(label: str, name: str, count: int | None = None) -> Tab:
        return Tab(label, reverse(f"agents:{name}", args=[agent.slug]), count, name == current)

    tabs = [tab("Overview", "agent")]
    if has_two and is_inside:
        tabs.append(tab("Compare", "compare"))
    if is_inside:
        tabs.append(tab("Triggers", "triggers"))
        tabs += [tab("Where used", "where_used", uses), tab("Settings", "settings")]
    return tabs
