"""The frame of all pages of a prompt: name, tabs, buttons, list of versions."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.text import get_text_list

from console.core import parsing
from console.core.formatting import plural
from console.core.where_used import Use
from console.teams.callers import TeamRequest
from prompts_app import tabs, where_used
from prompts_app.models import Prompt, PromptVersion
from prompts_app.notes import notes_on
from prompts_app.queries import detail
from prompts_app.queries.detail import RailItem
from prompts_app.rendering import is_callable

ACTIVE = "prompts"


@dataclass(frozen=True, slots=True)
class ShownTab:
    label: str
    url: str
    count: int | None
    is_current: bool


@dataclass(frozen=True, slots=True)
class ShownAction:
    label: str
    icon: str
    url: str


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """One node of the rail, with where it leads on this page."""

    item: RailItem
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class May:
    """What the reader may do with this prompt. Pages show no button that would be refused for the role."""

    edit: bool
    review: bool
    set_rules: bool


def may(request: TeamRequest, prompt: Prompt) -> May:
    caller, team = request.caller, prompt.team_id
    return May(caller.may("build", team), caller.may("approve", team), caller.may("manage_team", team))


def frame(
    request: TeamRequest,
    prompt: Prompt,
    tab: str,
    *,
    version: PromptVersion | None = None,
    chosen: Collection[int] = (),
    rail_url: Callable[[int], str] | None = None,
) -> dict[str, Any]:
    """Return the context every page of a prompt begins with. `version` is the one looked at, the newest otherwise."""
    page = detail.prompt_page(prompt, before=parsing.number(request.GET.get("before", ""), None))
    url_of = rail_url or (lambda number: reverse("prompts:version", args=[prompt.slug, number]))
    uses = where_used.uses_of(prompt)
    shown = version or prompt.head
    allowed = may(request, prompt)
    live = page.live.label.version_id if page.live else None
    return {
        "active": ACTIVE,
        "prompt": prompt,
        "page": page,
        "version": shown,
        "may": allowed,
        "notes": notes_on(request.caller, prompt),
        "uses": uses,
        "is_held": any(use.holds for use in uses),
        "used_by": _words(uses),
        "tabs": _tabs(prompt, tab, uses),
        "actions": [
            ShownAction(action.label, action.icon, url)
            for action in tabs.ACTIONS
            if shown and request.caller.may(action.right, prompt.team_id) and (url := action.url(prompt, shown))
        ],
        "can_publish": bool(shown and allowed.edit and live != shown.pk and not _is_asked(page)),
        "rail": [
            ShownVersion(item, url_of(item.version.number), item.version.number in chosen) for item in page.rail.items
        ],
    }


def _is_asked(page: detail.PromptPage) -> bool:
    """Return whether a review for production is open: then the page's note leads to it, and no button competes."""
    return any(review.label == "production" and review.status == "open" for review in page.reviews)


def _tabs(prompt: Prompt, current: str, uses: list[Use]) -> list[ShownTab]:
    def url(name: str) -> str:
        return reverse(f"prompts:{name}", args=[prompt.slug])

    own = [
        (10, ShownTab("Text", url("prompt"), None, current == "text")),
        (20, ShownTab("Compare", url("compare"), None, current == "compare")),
        *([(30, ShownTab("Metrics", url("figures"), None, current == "figures"))] if is_callable(prompt.kind) else []),
        (40, ShownTab("Where used", url("where_used"), len(uses), current == "where_used")),
        (50, ShownTab("Settings", url("settings"), None, current == "settings")),
    ]
    more = [
        (tab.order, ShownTab(tab.label, address, tab.count(prompt), current == tab.name))
        for tab in tabs.TABS
        if (address := tab.url(prompt))
    ]
    return [tab for _, tab in sorted(own + more, key=lambda pair: pair[0])]


def _words(uses: list[Use]) -> str:
    """Say in a few words what uses the prompt: 2 surfaces and 1 agent."""
    counts: dict[str, int] = {}
    for use in uses:
        counts[use.kind] = counts.get(use.kind, 0) + 1
    names = {"calls": "surface"}
    parts = [plural(count, names.get(kind, kind)) for kind, count in counts.items()]
    return f"Used by {get_text_list(parts, 'and')}" if parts else "Not used yet"
