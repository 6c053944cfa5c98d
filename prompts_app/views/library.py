"""The list of prompts: folders, search, filters."""

from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.core.htmx import is_htmx
from console.teams.access import in_scope, needs
from console.teams.callers import TeamRequest
from prompts_app import access
from prompts_app.models import Kind
from prompts_app.queries import folders, listing
from prompts_app.queries.listing import SORTS, Filters
from prompts_app.views.frame import ACTIVE

EXAMPLE = """You answer customers of {{company}} in the live chat.
Answer only from the sources below and cite each one as [n].

{{> shared/style-guide}}

Question: {{question}}"""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter as ui/filter.html shows it."""

    id: str
    label: str
    value: str = ""
    clear_url: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)


def wanted_of(query: QueryDict) -> Filters:
    """Read what the address asks for; what makes no sense asks for nothing."""

    def said(name: str, longest: int = _LONGEST) -> str:
        return query.get(name, "").replace("\0", "").strip()[:longest]

    sort = query.get("sort", "use")
    return Filters(
        words=said("q"),
        folder=said("folder").strip("/"),
        label=said("label", 40),
        tag=said("tag", 40),
        kind=said("kind") if said("kind") in Kind.values else "",
        is_unused=query.get("unused") == "1",
        sort=sort if sort in SORTS else "use",
    )


@needs("view_team")
@require_safe
def prompts(request: TeamRequest) -> HttpResponse:
    shown = in_scope(request, access.prompts_for(request.caller))
    wanted = wanted_of(request.GET)
    cursor = listing.parse_cursor(request.GET.get("cursor", ""))
    context: dict[str, Any] = {
        "active": ACTIVE,
        "wanted": wanted,
        "sort_words": SORTS[wanted.sort].lower(),
    }
    if is_htmx(request):
        context["page"] = listing.listing(shown, wanted, cursor)
        return render(request, "prompts/list.html#rows", context)
    tree = folders.tree(shown, wanted.folder)
    context |= {
        "tree": tree,
        "page": listing.listing(shown, wanted, cursor, total=None if wanted.is_narrowed else tree.here),
        "sorts": SORTS.items(),
        "filters": _filters(request.GET, wanted, listing.choices(shown)),
        "kept": [(name, request.GET[name]) for name in _KEPT if request.GET.get(name)],
        "may_build": request.caller.may("build"),
        "example": EXAMPLE,
    }
    return render(request, "prompts/list.html", context)


# What a search keeps of the address; the cursor is of another list.
_KEPT = ("team", "folder", "label", "tag", "kind", "unused", "sort")


def _filters(query: QueryDict, filters: Filters, offered: listing.Choices) -> list[Filter]:
    def url(**changes: str) -> str:
        params = query.copy()
        params.pop("cursor", None)
        for name, value in changes.items():
            params.pop(name, None)
            if value:
                params[name] = value
        return f"?{params.urlencode()}"

    kinds = {value: str(label) for value, label in Kind.choices}
    found = [
        Filter(
            "filter-label", "Label", filters.label, url(label=""), [(name, url(label=name)) for name in offered.labels]
        ),
        Filter(
            "filter-kind",
            "Kind",
            kinds.get(filters.kind, ""),
            url(kind=""),
            [(label, url(kind=value)) for value, label in kinds.items()],
        ),
    ]
    if offered.tags or filters.tag:
        tags = [(tag, url(tag=tag)) for tag in offered.tags]
        found.append(Filter("filter-tag", "Tag", filters.tag, url(tag=""), tags))
    unused = [("Not called in 30 days", url(unused="1"))]
    found.append(
        Filter("filter-use", "Usage", "not called in 30 days" if filters.is_unused else "", url(unused=""), unused)
    )
    return found
