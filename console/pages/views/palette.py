"""The command palette: find pages, actions, records, and other objects by name."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from agents_app.access import agents_for, queue_items_for, runs_for
from console.batches.access import batches_for
from console.catalog.access import aliases_for, versions_for
from console.chat.access import widgets_for
from console.core.ids import parse_id, request_id
from console.knowledge.access import visible_collections
from console.knowledge.models import Document
from console.pages.navigation import items_for
from console.teams.access import OPERATOR, SIGNED_IN, keys_for, needs, teams_for
from console.teams.callers import Caller, TeamRequest
from prompts_app.access import prompts_for

# How many of one kind are shown; whoever needs more narrows the words.
_EACH = 5
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of the palette. `keys` are shown as key caps, `hint` as words."""

    label: str
    icon: str
    url: str
    hint: str = ""
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do, the right it needs, the page it is done on and what else people call it."""

    label: str
    icon: str
    url_name: str
    right: str
    keywords: str = ""

    def is_open_to(self, caller: Caller) -> bool:
        return caller.is_operator or self.right == SIGNED_IN or caller.may(self.right)


ACTIONS = (
    Action("New prompt", "library", "prompts:new_prompt", "build", "write create make text template"),
    Action("Reviews of prompts", "message-square-text", "prompts:reviews", "view_team", "approve waiting comments"),
    Action("Protect a label", "shield-check", "prompts:rules", "view_team", "rules review tests publish"),
    Action("New widget", "panels-top-left", "chat:new_widget", "build", "make create chat embed website visitors"),
    Action("New agent", "bot", "agents:new_agent", "build", "make create assistant"),
    Action("New tool", "wrench", "agents:new_tool", "build", "make create http mcp openapi"),
    Action("New collection", "file-text", "knowledge:new_collection", "build", "make create knowledge documents"),
    Action("Add a place that is not on Facet", "list-checks", "touchpoints:new", "build", "list legacy migrate new"),
    Action("New API key", "key-round", "teams:create_key", "manage_keys", "make create token credential secret"),
    Action("New quota", "gauge", "usage:set_quota", "manage_quotas", "limit make create team key alias budget raise"),
    Action("New team", "users", "teams:create_team", OPERATOR, "make create tenant"),
    Action("Add a person", "user-plus", "teams:add_person", OPERATOR, "account new make create invite"),
    Action("Connect a provider", "server", "catalog:new_provider", OPERATOR, "upstream openai new"),
    Action("New alias", "tag", "catalog:new_alias", OPERATOR, "make create name pin"),
    Action("Alerts", "bell", "notices:alerts", OPERATOR, "channels slack mattermost discord webhook mail notify"),
    Action("Alert rules", "bell", "usage:alert_rules", OPERATOR, "errors latency slow failing threshold new create"),
    Action("People of the installation", "user-cog", "teams:people", OPERATOR, "accounts operators disable"),
    Action("Your sign-in security", "shield-check", "mfa_index", SIGNED_IN, "two factor passkey 2fa totp recovery"),
    Action("Your sessions", "laptop", "usersessions_list", SIGNED_IN, "sign out devices"),
    Action("Your profile", "user", "pages:profile", SIGNED_IN, "name shortcuts"),
)


@needs(SIGNED_IN)
def palette(request: TeamRequest) -> HttpResponse:
    """Answer the dialog with the list; without script, with a page that has the same field."""
    words = request.GET.get("q", "").strip()[:_LONGEST]
    scope = request.GET.get("team", "")
    context = {"q": words, "groups": list(find(request.caller, words, f"?team={scope}" if scope else ""))}
    template = "pages/palette.html#hits" if request.htmx else "pages/palette.html"
    return render(request, template, context)


def find(caller: Caller, words: str, scope: str = "") -> Iterator[tuple[str, list[Hit]]]:
    """Yield hits by group; without words, where to go and what to do. Objects come through the caller's teams."""
    for title, hits in (
        ("Records", _records(caller, words)),
        ("Go to", _pages(caller, words, scope)),
        ("Actions", _actions(caller, words, scope)),
        ("Teams", _teams(caller, words)),
        ("API keys", _keys(caller, words)),
        ("Prompts", _prompts(caller, words)),
        ("Agents", _agents(caller, words)),
        ("Knowledge", _knowledge(caller, words)),
        ("Widgets", _widgets(caller, words)),
        ("Aliases", _aliases(caller, words)),
        ("Models", _models(caller, words)),
    ):
        if hits:
            yield title, hits


def _records(caller: Caller, words: str) -> list[Hit]:
    """Find what a program was told the id of: a call, a response, a run, a queue's item, a batch, or a file of one."""
    prefix = next((prefix for prefix in _TOLD if words.startswith(prefix)), "")
    identifier = parse_id(words, prefix) if words else None
    return _TOLD[prefix](caller, identifier) if identifier else []


def _logged(caller: Caller, identifier: uuid.UUID) -> list[Hit]:
    if not caller.may("view_audit"):
        return []
    shown = request_id(identifier)
    return [Hit(shown, "scroll-text", reverse("usage:audit_record", args=[shown]), "Open in the log")]


def _responses(caller: Caller, identifier: uuid.UUID) -> list[Hit]:
    """Lead to the log's search: one in the background may have several records."""
    if not caller.may("view_audit"):
        return []
    shown = f"resp_{identifier.hex}"
    return [Hit(shown, "scroll-text", f"{reverse('usage:audit')}?q={shown}", "Find in the log")]


def _runs(caller: Caller, identifier: uuid.UUID) -> list[Hit]:
    return [
        Hit(run.public_id, "list-tree", reverse("agents:run", args=[run.public_id]), f"Run of {run.agent.name}")
        for run in runs_for(caller).filter(pk=identifier).select_related("agent")
    ]


def _batches(caller: Caller, identifier: uuid.UUID) -> list[Hit]:
    """Find a batch by its own id, or by that of a file it read or wrote."""
    is_it = Q(pk=identifier) | Q(input_file=identifier) | Q(output_file=identifier) | Q(error_file=identifier)
    return [
        Hit(batch.public_id, "layers", reverse("batches:batch", args=[batch.pk]), f"Batch of {batch.team.name}")
        for batch in batches_for(caller).filter(is_it).order_by("-created_at", "-id")[:_EACH]
    ]


def _items(caller: Caller, identifier: uuid.UUID) -> list[Hit]:
    return [
        Hit(
            shown := f"item_{identifier.hex}",
            "inbox",
            f"{reverse('agents:queue', args=[item.queue_id])}?item={shown}",
            f"Item of {item.queue.name}",
        )
        for item in queue_items_for(caller).filter(pk=identifier)
    ]


# By what the ids begin with. A run that answered a chat completion is known by the id of that as well.
_TOLD: dict[str, Callable[[Caller, uuid.UUID], list[Hit]]] = {
    "resp_": _responses,
    "run_": _runs,
    "chatcmpl-": _runs,
    "item_": _items,
    "batch_": _batches,
    "msgbatch_": _batches,
    "file-": _batches,
    "req_": _logged,
    "": _logged,
}


def _pages(caller: Caller, words: str, scope: str) -> list[Hit]:
    return [
        Hit(item.label, item.icon, item.url + scope, keys=f"G {item.chord.upper()}" if item.chord else "")
        for item in items_for(caller)
        if _matches(words, item.label, item.keywords)
    ]


def _actions(caller: Caller, words: str, scope: str) -> list[Hit]:
    return [
        Hit(action.label, action.icon, reverse(action.url_name) + scope)
        for action in ACTIONS
        if action.is_open_to(caller) and _matches(words, action.label, action.keywords)
    ]


def _teams(caller: Caller, words: str) -> list[Hit]:
    if not words:
        return []
    found = teams_for(caller).filter(Q(name__icontains=words) | Q(slug__icontains=words))[:_EACH]
    return [Hit(team.name, "users", reverse("teams:team", args=[team.slug]), "Team") for team in found]


def _keys(caller: Caller, words: str) -> list[Hit]:
    if len(words) < 2 or not caller.may("manage_keys"):
        return []
    # A pasted key is found by its ending; the whole of it is neither compared nor kept.
    found = keys_for(caller).filter(Q(name__icontains=words) | Q(last4=words[-4:]), revoked_at=None)
    return [
        Hit(key.name, "key-round", reverse("teams:key", args=[key.pk]), f"{key.team.name}, {key.shown}")
        for key in found.select_related("team")[:_EACH]
    ]


def _prompts(caller: Caller, words: str) -> list[Hit]:
    if not words:
        return []
    found = prompts_for(caller).filter(slug__icontains=words).select_related("team").order_by("-calls", "slug")
    return [
        Hit(prompt.slug, "library", reverse("prompts:prompt", args=[prompt.slug]), prompt.team.name)
        for prompt in found[:_EACH]
    ]


def _agents(caller: Caller, words: str) -> list[Hit]:
    if not words:
        return []
    found = agents_for(caller).filter(Q(name__icontains=words) | Q(slug__icontains=words))
    return [
        Hit(agent.name, "bot", reverse("agents:agent", args=[agent.slug]), agent.team.name)
        for agent in found.select_related("team").order_by("name")[:_EACH]
    ]


def _knowledge(caller: Caller, words: str) -> list[Hit]:
    """Find collections, then documents of those the caller may read."""
    if not words:
        return []
    seen = visible_collections(caller)
    collections = seen.filter(Q(name__icontains=words) | Q(slug__icontains=words)).order_by("name")[:_EACH]
    documents = Document.objects.filter(name__icontains=words, deleted_at=None, collection__in=seen)
    return [
        Hit(collection.name, "file-text", reverse("knowledge:collection", args=[collection.pk]), "Collection")
        for collection in collections
    ] + [
        Hit(document.name, "file-text", reverse("knowledge:document", args=[document.pk]), document.collection.name)
        for document in documents.select_related("collection").order_by("name")[:_EACH]
    ]


def _widgets(caller: Caller, words: str) -> list[Hit]:
    if not words:
        return []
    found = widgets_for(caller).filter(name__icontains=words).select_related("team")[:_EACH]
    return [
        Hit(row.name, "panels-top-left", reverse("chat:widget", args=[row.pk]), f"Widget of {row.team}")
        for row in found
    ]


def _aliases(caller: Caller, words: str) -> list[Hit]:
    if not words:
        return []
    found = aliases_for(caller).filter(name__icontains=words)[:_EACH]
    return [Hit(alias.name, "tag", reverse("catalog:alias", args=[alias.name]), "Alias") for alias in found]


def _models(caller: Caller, words: str) -> list[Hit]:
    if not words:
        return []
    found = versions_for(caller).filter(name__icontains=words, retired_at=None)[:_EACH]
    return [
        Hit(version.name, "boxes", reverse("catalog:version", args=[version.pk]), version.provider.name)
        for version in found
    ]


def _matches(words: str, *texts: str) -> bool:
    """Return whether every word begins a word of the texts."""
    known = " ".join(texts).lower().split()
    return all(any(one.startswith(word) for one in known) for word in words.lower().split())
