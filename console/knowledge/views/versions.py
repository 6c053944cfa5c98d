"""A document's versions: show one, compare two, make one current."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from console.core import parsing
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go
from console.knowledge import access
from console.knowledge.forms import CurrentForm
from console.knowledge.models import Document, DocumentVersion
from console.knowledge.services import documents as services
from console.knowledge.views.frame import frame
from console.teams.access import needs
from console.teams.callers import TeamRequest
from prompts_app.queries.comparison import MessageDiff, compare_texts

VERSIONS_SHOWN = 100
# Longer texts are not compared on a page: telling thousands of changed lines apart takes too long.
_MOST_LINES = 4_000


def rail(document: Document) -> list[DocumentVersion]:
    return list(DocumentVersion.objects.filter(document=document).defer("text").order_by("-number")[:VERSIONS_SHOWN])


def shown(request: TeamRequest, document: Document, version: DocumentVersion) -> HttpResponse:
    """Show one version: its text, and the passages it is cut into."""
    context = {
        **frame(request, document.collection),
        "document": document,
        "version": version,
        "is_current": version.pk == document.current_id,
        "versions": rail(document),
        "passages": list(version.passages.order_by("position").only("position", "heading", "text")[:200]),
        "tab": "passages" if request.GET.get("show") == "passages" else "text",
    }
    return render(request, "knowledge/document.html", context)


@needs("view_team")
@require_safe
def version(request: TeamRequest, document_id: uuid.UUID, number: int) -> HttpResponse:
    found = access.document_for(request.caller, document_id)
    return shown(request, found, access.version_for(found, number))


@needs("view_team")
@require_safe
def compare(request: TeamRequest, document_id: uuid.UUID) -> HttpResponse:
    """Two versions, `?a=` and `?b=`; without them the current one and the one before."""
    found = access.document_for(request.caller, document_id)
    current = found.current.number if found.current else 1
    b = parsing.number(request.GET.get("b", ""), current)
    a = parsing.number(request.GET.get("a", ""), max(1, b - 1))
    old, new = access.version_for(found, min(a, b)), access.version_for(found, max(a, b))
    context = {
        **frame(request, found.collection),
        "document": found,
        "numbers": [one.number for one in rail(found)],
        "old": old,
        "new": new,
        **_difference(old, new),
    }
    return render(request, "knowledge/compare.html", context)


def _difference(old: DocumentVersion, new: DocumentVersion) -> dict[str, Any]:
    is_long = old.text.count("\n") + new.text.count("\n") > _MOST_LINES
    diff: MessageDiff | None = None if is_long else compare_texts("", old.text, new.text)
    return {"diff": diff, "is_long": is_long, "is_same": old.sha256 == new.sha256}


@needs("build")
def make_current(request: TeamRequest, document_id: uuid.UUID, number: int) -> HttpResponse:
    """Show what would change, then have searches find this version."""
    found = access.document_for(request.caller, document_id, to="change")
    to = access.version_for(found, number)
    if found.current is None:
        raise AssertionError("A document has a version from its first moment.")
    form = CurrentForm(posted(request), initial={"seen_current": found.current.number})
    if form.is_valid():
        with refusals_at(form):
            services.make_current(actor=request.caller.actor, document=found, version=to, **form.cleaned_data)
            url = reverse("knowledge:document", args=[found.pk])
            return go(request, url, f"Version {to.number} is current. Everything answers from it now.")
    context = {
        **frame(request, found.collection),
        "document": found,
        "to": to,
        "form": form,
        **_difference(found.current, to),
    }
    return render(request, "knowledge/make_current.html", context, status=status_of(form))
