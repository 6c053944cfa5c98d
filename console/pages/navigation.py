"""The one list of the console's pages: the sidebar, the G chords, the palette and the browser tests read it.

A new room adds one line. An item is shown to those who may open its page.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from agents_app import access as agents
from console.chat.queries import visits
from console.core.sql import AnyRows
from console.teams.access import OPERATOR, SIGNED_IN
from console.teams.callers import Caller
from prompts_app.queries import reviews


@cache
def _url(name: str) -> str:
    """Every page asks for the addresses of all, which never change."""
    return reverse(name)


@dataclass(frozen=True, slots=True)
class Item:
    """One page. `name` is what the page's context calls `active`; `chord` is the letter after G."""

    name: str
    label: str
    icon: str
    url_name: str
    group: str
    right: str = SIGNED_IN
    chord: str = ""
    keywords: str = ""
    # What waits for the caller on that page, shown as a number beside the label; and for anyone, asked first.
    count: Callable[[Caller], int] | None = None
    anyone: Callable[[], QuerySet[Any]] | None = None

    @property
    def url(self) -> str:
        return _url(self.url_name)

    def is_open_to(self, caller: Caller) -> bool:
        if caller.is_anonymous:
            return False
        if self.right == SIGNED_IN:
            return True
        return caller.is_operator if self.right == OPERATOR else caller.may(self.right)


_WIDGET_WORDS = "embed embedded site website visitors conversations snippet support"

ITEMS = (
    Item("overview", "Overview", "layout-dashboard", "pages:overview", "", chord="o", keywords="home dashboard usage"),
    Item(
        "approvals",
        "Approvals",
        "inbox",
        "agents:approvals",
        "",
        "view_team",
        "i",
        "inbox waiting",
        agents.approvals_waiting,
        agents.waiting_for_anyone,
    ),
    Item("chat", "Chat", "message-square", "chat:chat", "", "view_team", "c", "ask assistant conversations"),
    Item("playground", "Playground", "git-compare", "playground:bench", "Build", "use_models", "y", "try compare run"),
    Item(
        "prompts",
        "Prompts",
        "library",
        "prompts:prompts",
        "Build",
        "view_team",
        "p",
        "library text",
        reviews.waiting_count,
        reviews.waiting_for_anyone,
    ),
    Item("agents", "Agents", "bot", "agents:agents", "Build", "view_team", keywords="assistant assistants bot"),
    Item(
        "tools", "Tools", "wrench", "agents:tools", "Build", "view_team", "t", "http mcp openapi server queue function"
    ),
    Item(
        "knowledge",
        "Knowledge",
        "file-text",
        "knowledge:collections",
        "Build",
        "view_team",
        "u",
        "documents collections rag",
    ),
    Item(
        "evaluations",
        "Evaluations",
        "flask-conical",
        "evals:evaluations",
        "Build",
        "view_team",
        "v",
        "tests drift schedule baseline score incident",
    ),
    Item("models", "Models and pins", "pin", "catalog:models", "Run", "view_team", "m", "alias provider version"),
    Item("runs", "Agent runs", "list-tree", "agents:runs", "Run", "view_team", "r", "trace steps agents"),
    Item("batches", "Batches", "layers", "batches:batches", "Run", "view_usage", "b", "files jobs bulk openai"),
    Item("lanes", "Lanes", "split", "pages:lanes", "Run", "view_usage", keywords="interactive standard batch latency"),
    Item(
        "widgets",
        "Chat widgets",
        "panels-top-left",
        "chat:widgets",
        "Run",
        "view_team",
        "w",
        _WIDGET_WORDS,
        visits.waiting_for,
        visits.waiting_for_anyone,
    ),
    Item(
        "touchpoints",
        "Touchpoints",
        "list-checks",
        "touchpoints:touchpoints",
        "Govern",
        "view_usage",
        keywords="inventory audit consumption legacy migrate expectation latency owner",
    ),
    Item(
        "costs",
        "Costs",
        "table",
        "pages:costs",
        "Govern",
        "view_usage",
        keywords="bill spend month invoice chargeback report csv money usage",
    ),
    Item("quotas", "Quotas", "gauge", "usage:quotas", "Govern", "view_usage", "q", "limits budget"),
    Item("keys", "API keys", "key-round", "teams:keys", "Govern", "manage_keys", "k", "credential secret token"),
    Item("teams", "Teams", "users", "teams:teams", "Govern", chord="e", keywords="members people roles alerts"),
    Item("audit", "Audit log", "scroll-text", "usage:audit", "Govern", "view_audit", "a", "requests history record"),
    Item(
        "settings",
        "Settings",
        "settings",
        "pages:settings",
        "Govern",
        OPERATOR,
        "s",
        "configuration health alerts e-mail slack webhook observability metrics prometheus grafana traces",
    ),
    Item("docs", "Docs", "book-open", "pages:docs", "Govern", chord="d", keywords="quick start curl python openapi"),
)


def items_for(caller: Caller) -> list[Item]:
    return [item for item in ITEMS if item.is_open_to(caller)]


def groups_for(caller: Caller) -> list[tuple[str, list[Item]]]:
    return grouped(items_for(caller))


def grouped(items: Iterable[Item]) -> list[tuple[str, list[Item]]]:
    """Return the items by group, in the order of the list; groups without an item do not exist."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    return list(groups.items())


def waiting_for(caller: Caller) -> dict[str, int]:
    """Return how much waits for the caller, by page; pages where nothing does are left out."""
    asked = [item for item in items_for(caller) if item.count]
    # Counting for one caller takes longer than asking where anything waits for anyone, and every page would count.
    some = _some_wait().true() if asked else frozenset()
    counted = {item.name: item.count(caller) for item in asked if item.count and item.name in some}
    return {name: count for name, count in counted.items() if count}


@cache
def _some_wait() -> AnyRows:
    return AnyRows({item.name: item.anyone() for item in ITEMS if item.anyone})
