"""What uses a prompt, grouped by kind, without names the reader may not see."""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet, Sum
from django.urls import reverse

from console.core.clock import now
from console.core.where_used import Use
from console.teams.models import Team
from prompts_app.models import Prompt, PromptUse
from prompts_app.where_used import CALLS_SPAN

_TITLES = {
    "calls": ("Calls", "terminal", "of the last 30 days, by surface"),
    "prompt": ("Prompts", "library", "whose newest or published text includes it"),
    "agent": ("Agents", "bot", "that speak with it"),
    "widget": ("Widgets", "panels-top-left", "on customers' sites"),
    "key": ("Keys", "key-round", "that call it"),
    "test": ("Tests", "flask-conical", "that run on it"),
}
SURFACES = {
    "api": "API",
    "chat": "Chat page",
    "widget": "Chat widget",
    "agent": "Agents",
    "batch": "Batches",
    "playground": "Playground",
    "evaluation": "Evaluations",
}


May = Callable[[str, uuid.UUID | None], bool]


@dataclass(frozen=True, slots=True)
class ShownUse:
    name: str
    team_id: uuid.UUID | None
    team: str
    detail: str
    url: str
    calls: int


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    icon: str
    about: str
    uses: list[ShownUse]
    hidden: int  # of teams the reader does not see


def groups(uses: Sequence[Use], visible: QuerySet[Prompt], teams: QuerySet[Team], may: May) -> list[Group]:
    """Return the uses by kind: prompts the reader may see, and what belongs to the reader's teams or to none.

    `may` says whether the reader has a right in a team: without it, what needs it has no link.

    Two queries at most. Names of others' keys, agents and prompts are theirs, so those are only counted.
    """
    slugs = [use.name for use in uses if use.kind == "prompt"]
    seen = set(visible.filter(slug__in=slugs).values_list("slug", flat=True)) if slugs else set()
    mine: set[uuid.UUID | None] = {None}
    if any(use.team_id and use.kind != "prompt" for use in uses):
        mine |= set(teams.values_list("pk", flat=True))
    by_kind: dict[str, list[Use]] = {}
    for use in uses:
        by_kind.setdefault(use.kind, []).append(use)
    found = []
    for kind, some in by_kind.items():
        title, icon, about = _TITLES.get(kind, (kind.capitalize() + "s", "link", ""))
        shown = [
            _shown_use(use, may) for use in some if (use.name in seen if kind == "prompt" else use.team_id in mine)
        ]
        found.append(Group(title, icon, about, shown, len(some) - len(shown)))
    return found


def _shown_use(use: Use, may: May) -> ShownUse:
    url = use.url if may(use.opens_to, use.team_id) else ""
    if use.kind == "prompt":
        url = reverse("prompts:prompt", args=[use.name])
    name = SURFACES.get(use.name, use.name) if use.kind == "calls" else use.name
    return ShownUse(name, use.team_id, use.team, use.detail, url, use.calls)


def calls_by_day(prompt: Prompt) -> list[int]:
    """Return the calls of each of the last 30 days, oldest first."""
    today = now().date()
    first = today - CALLS_SPAN + dt.timedelta(days=1)
    rows = dict(
        PromptUse.objects.filter(prompt=prompt, day__gte=first).order_by().values_list("day").annotate(Sum("calls"))
    )
    return [rows.get(first + dt.timedelta(days=n), 0) for n in range(CALLS_SPAN.days)]
