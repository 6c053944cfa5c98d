"""Documents: add, show, edit, delete."""

import uuid

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from console.core.errors import Refusal
from console.core.forms import refusals_at, refuse, status_of
from console.core.htmx import go
from console.knowledge import access
from console.knowledge.errors import NothingChanged
from console.knowledge.forms import DocumentForm
from console.knowledge.models import Collection, Document
from console.knowledge.services import documents as services
from console.knowledge.views import versions
from console.knowledge.views.frame import ask, frame
from console.teams.access import needs
from console.teams.callers import TeamRequest


def _url(document: Document) -> str:
    return reverse("knowledge:document", args=[document.pk])


@needs("view_team")
@require_safe
def document(request: TeamRequest, document_id: uuid.UUID) -> HttpResponse:
    """The version that is searched now."""
    found = access.document_for(request.caller, document_id)
    if found.current is None:
        raise AssertionError("A document has a version from its first moment.")
    return versions.shown(request, found, found.current)


@needs("build")
def new_document(request: TeamRequest, collection_id: uuid.UUID) -> HttpResponse:
    found = access.collection_for(request.caller, collection_id, to="change")
    form = _form(request)
    if form.is_valid():
        with refusals_at(form):
            form.read_file()
            made = services.add_document(actor=request.caller.actor, collection=found, **form.changes())
            return go(request, _url(made), f"Added {made.name}. It is searched from now on.")
    return _page(request, found, form)


@needs("build")
def edit_document(request: TeamRequest, document_id: uuid.UUID) -> HttpResponse:
    """Save what was typed as the next version. Where somebody saved meanwhile, nothing typed is lost."""
    found = access.document_for(request.caller, document_id, to="change")
    form = _form(request, found)
    if form.is_valid():
        seen = form.cleaned_data["seen_version"]
        try:
            form.read_file()
            version = services.save_version(
                actor=request.caller.actor, document=found, seen_version=seen, **form.changes()
            )
        except NothingChanged as refusal:
            return go(request, _url(found), refusal.message)
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            return go(request, _url(found), f"Saved version {version.number}. Everything answers from it now.")
    return _page(request, found.collection, form, found)


def _form(request: TeamRequest, document: Document | None = None) -> DocumentForm:
    if request.method != "POST":
        return DocumentForm(document=document)
    return DocumentForm(request.POST, request.FILES, document=document)


def _page(
    request: TeamRequest,
    collection: Collection,
    form: DocumentForm,
    document: Document | None = None,
) -> HttpResponse:
    context = {**frame(request, collection), "form": form, "document": document}
    return render(request, "knowledge/document_form.html", context, status=status_of(form))


@needs("build")
def delete_document(request: TeamRequest, document_id: uuid.UUID) -> HttpResponse:
    found = access.document_for(request.caller, document_id, to="change")
    back = reverse("knowledge:collection", args=[found.collection_id])
    if request.method == "POST":
        services.delete_document(actor=request.caller.actor, document=found)
        return go(request, back, f"Deleted {found.name}. It can no longer be found.")
    lost = "Nothing finds it from now on. What was answered from it stays on record, with the versions used."
    return ask(request, found.collection, verb="Delete", name=found.name, lost=lost, back_url=_url(found))
