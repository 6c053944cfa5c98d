"""Collections: list, create, show, search, change, delete."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from console.core.formatting import plural
from console.core.forms import posted, refusals_at, refused_by, status_of
from console.core.htmx import STOP_POLLING, go, is_htmx
from console.knowledge import access, queries, where_used
from console.knowledge.embedding import CallOrigin
from console.knowledge.forms import CollectionForm, SearchForm
from console.knowledge.models import Collection
from console.knowledge.search import SearchOutcome, search_now
from console.knowledge.services import collections as services
from console.knowledge.views.frame import ACTIVE, ask, frame, searcher
from console.teams.access import needs, scope_of
from console.teams.callers import TeamRequest


@needs("view_team")
@require_safe
def collections(request: TeamRequest) -> HttpResponse:
    scope = scope_of(request)
    shown = access.visible_collections(scope or request.caller)
    context = {"active": ACTIVE, "rows": queries.rows(shown), "may_build": request.caller.may("build")}
    return render(request, "knowledge/list.html", context)


@needs("build")
def new_collection(request: TeamRequest) -> HttpResponse:
    form = _form(request, initial={"team": request.GET.get("team", "")})
    if form.is_valid():
        with refusals_at(form):
            made = services.create_collection(actor=request.caller.actor, **form.changes())
            return go(request, _url(made), f"Created {made.name}. Add its first document.")
    context = {"active": ACTIVE, "form": form}
    return render(request, "knowledge/collection_form.html", context, status=status_of(form))


def _form(request: TeamRequest, collection: Collection | None = None, **kwargs: Any) -> CollectionForm:
    models = queries.embedding_models(request.caller)
    if collection is None:
        first = models.first()
        kwargs["initial"] = {"model": first.pk if first else None} | kwargs.get("initial", {})
    return CollectionForm(
        posted(request),
        teams=access.owning_teams(request.caller),
        models=models,
        is_operator=request.caller.is_operator,
        collection=collection,
        **kwargs,
    )


def _url(collection: Collection) -> str:
    return reverse("knowledge:collection", args=[collection.pk])


@needs("view_team")
@require_safe
def collection(request: TeamRequest, collection_id: uuid.UUID) -> HttpResponse:
    """Its documents, and how far its vectors are: that piece asks again while some are being made."""
    found = access.collection_for(request.caller, collection_id)
    if is_htmx(request) and request.GET.get("piece") == "state":
        context = {**frame(request, found), "row": queries.row(found)}
        status = 200 if context["row"].is_making else STOP_POLLING
        return render(request, "knowledge/collection.html#state", context, status=status)
    return render(request, "knowledge/collection.html", _page(request, found))


def _page(
    request: TeamRequest, collection: Collection, form: SearchForm | None = None, search: SearchOutcome | None = None
) -> dict[str, Any]:
    documents = list(queries.documents_of(collection)[: queries.DOCUMENTS_SHOWN + 1])
    uses = where_used.uses_of(collection)
    seen = [use for use in uses if use.team_id is None or request.caller.may("view_team", use.team_id)]
    return {
        **frame(request, collection),
        "row": queries.row(collection),
        "documents": documents[: queries.DOCUMENTS_SHOWN],
        "is_cut": len(documents) > queries.DOCUMENTS_SHOWN,
        "uses": seen,
        "uses_elsewhere": len(uses) - len(seen),
        "search_form": form or SearchForm(),
        "search": search,
    }


@needs("view_team")
@require_POST
def search(request: TeamRequest, collection_id: uuid.UUID) -> HttpResponse:
    """Try a search: what chat, the API and agents would be given for a question."""
    found = access.collection_for(request.caller, collection_id)
    form, result = SearchForm(request.POST), None
    if form.is_valid():
        asked = CallOrigin(route=request.path, client_address=request.client_address)
        result = search_now(searcher(request, found), [found], form.cleaned_data["question"], 8, origin=asked)
    context = _page(request, found, form, result)
    template = "knowledge/collection.html#search" if is_htmx(request) else "knowledge/collection.html"
    return render(request, template, context, status=422 if result is None else 200)


@needs("build")
def change_collection(request: TeamRequest, collection_id: uuid.UUID) -> HttpResponse:
    found = access.collection_for(request.caller, collection_id, to="change")
    form = _form(request, found)
    if form.is_valid():
        with refusals_at(form):
            services.change_collection(actor=request.caller.actor, collection=found, **form.changes())
            return go(request, _url(found), f"Changed {form.cleaned_data['name']}.")
    context = {**frame(request, found), "form": form}
    return render(request, "knowledge/collection_form.html", context, status=status_of(form))


@needs("build")
@require_POST
def vectors(request: TeamRequest, collection_id: uuid.UUID) -> HttpResponse:
    """Make missing vectors now, or with `do=again` all of them again."""
    found = access.collection_for(request.caller, collection_id, to="change")
    if request.POST.get("do") == "again":
        services.embed_again(actor=request.caller.actor, collection=found)
        message = "Rebuilding all vectors. Until then, search uses words only."
    else:
        services.retry_vectors(actor=request.caller.actor, collection=found)
        message = "Trying again."
    return go(request, _url(found), message)


@needs("build")
def delete_collection(request: TeamRequest, collection_id: uuid.UUID) -> HttpResponse:
    found = access.collection_for(request.caller, collection_id, to="change")
    refused = refused_by(request, lambda: services.delete_collection(actor=request.caller.actor, collection=found))
    if refused is None:
        return go(request, reverse("knowledge:collections"), f"Deleted {found.name}.")
    count = queries.row(found).documents
    lost = (
        f"Nothing finds its {plural(count, 'document')} any more. What was answered from them stays on"
        " record, with the versions it was answered from."
    )
    return ask(request, found, verb="Delete", name=found.name, lost=lost, back_url=_url(found), refused=refused)
