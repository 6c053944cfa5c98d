"""Pages of datasets: the list, a new one, one with its items, and one item."""

import json
import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from console.catalog.access import aliases_for
from console.core.errors import Conflict
from console.core.forms import refusals_at, refused_by, status_of
from console.core.htmx import go
from console.evals import access, training_data, uploads
from console.evals.forms.datasets import NamedSampleForm, TeamForm, UploadForm
from console.evals.models import Dataset, DatasetItem
from console.evals.queries import replays as queries
from console.evals.sampling import MOST_BYTES
from console.evals.services import datasets as services
from console.teams.access import denied, in_scope, needs
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app.access import prompts_for
from usage_app.queries.audit.content import turns_of

_A_PAGE = 100
_MOST = 200


@needs("view_team")
@require_safe
def datasets(request: TeamRequest) -> HttpResponse:
    rows = in_scope(request, access.datasets_for(request.caller))
    found = list(queries.datasets_counted(rows)[:_MOST])
    context = {
        "active": "evaluations",
        "tab": "datasets",
        "datasets": found,
        "total": len(found) if len(found) < _MOST else rows.count(),
        "may_upload": bool(access.teams_to(request.caller, "upload")),
        "may_sample": bool(access.teams_to(request.caller, "sample")),
    }
    return render(request, "evals/datasets.html", context)


def _teams(request: TeamRequest, to: str) -> list[Team]:
    teams = access.teams_to(request.caller, to)
    if not teams:
        raise denied()
    return teams


def _form_page(request: TeamRequest, form: TeamForm, **more: Any) -> HttpResponse:
    context = {"active": "evaluations", "form": form, "most": uploads.MOST_ITEMS, **more}
    return render(request, "evals/dataset_form.html", context, status=status_of(form))


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def new_dataset(request: TeamRequest) -> HttpResponse:
    """Upload a file."""
    form = UploadForm(
        request.POST or None,
        request.FILES or None,
        teams=_teams(request, "upload"),
        initial={"team": request.GET.get("team", "")},
    )
    if form.is_valid():
        file = form.cleaned_data["file"]
        with refusals_at(form):
            made = services.upload_dataset(
                actor=request.caller.actor,
                team=form.chosen_team,
                name=form.cleaned_data["name"],
                text=uploads.decoded(file.read(MOST_BYTES + 1)),
                form=uploads.format_of(file.name),
                filename=file.name[:200],
            )
            return go(request, _to(made), f"Created the dataset {made.name}.")
    return _form_page(request, form)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def sample_dataset(request: TeamRequest) -> HttpResponse:
    """Copy records of the log."""
    initial = {name: request.GET.get(name, "") for name in ("team", "alias", "prompt")}
    form = NamedSampleForm(request.POST or None, teams=_teams(request, "sample"), initial=initial)
    if form.is_valid():
        with refusals_at(form):
            made, sample = services.sample_dataset(
                actor=request.caller.actor,
                team=form.chosen_team,
                name=form.cleaned_data["name"],
                wanted=form.wanted(),
                chosen=form.chosen(),
            )
            return go(request, _to(made), f"Copied {len(sample.items)} records. {sample.summary}".strip())
    return _form_page(request, form, is_sample=True, **lists_for(request))


def lists_for(request: TeamRequest) -> dict[str, Any]:
    """Return what the fields of an alias and of a prompt offer while one types."""
    return {
        "aliases": aliases_for(request.caller).order_by("name").values_list("name", flat=True)[:_MOST],
        "prompts": prompts_for(request.caller).order_by("slug").values_list("slug", flat=True)[:_MOST],
    }


def _to(dataset: Dataset) -> str:
    return reverse("evals:dataset", args=[dataset.pk])


@needs("view_team")
@require_safe
def dataset(request: TeamRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """What a dataset holds, without what was said, and its replays."""
    found = access.dataset_for(request.caller, dataset_id)
    items = DatasetItem.objects.filter(dataset=found).defer("body", "prompt", "expected")
    page, total = page_number(request), items.count()
    context = {
        "active": "evaluations",
        "dataset": found,
        "items": items[(page - 1) * _A_PAGE : page * _A_PAGE],
        "total": total,
        "replays": queries.progress_of(access.replays_for(request.caller).filter(dataset=found)),
        "is_log": found.source == Dataset.Source.LOG,
        "may_read": access.may(request.caller, "read", found.team_id),
        "may_change": access.may(request.caller, "change", found.team_id),
        "may_start": access.may(request.caller, "start", found.team_id),
        **pages(page, total),
    }
    return render(request, "evals/dataset.html", context)


def page_number(request: TeamRequest) -> int:
    text = request.GET.get("cursor", "")
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 4 and int(text) else 1


def pages(page: int, total: int) -> dict[str, int | None]:
    """Return the numbers of the pages before and after."""
    return {"newer": page - 1 if page > 1 else None, "older": page + 1 if page * _A_PAGE < total else None}


@needs("read_content")
@require_safe
def item(request: TeamRequest, dataset_id: uuid.UUID, place: int) -> HttpResponse:
    """One item with what it says. That somebody read it is recorded."""
    found = access.item_for(request.caller, dataset_id, place)
    services.read_item(actor=request.caller.actor, item=found)
    context = {
        "active": "evaluations",
        "dataset": found.dataset,
        "item": found,
        "turns": turns_of(found.body),
        "variables": found.prompt.get("variables", {}),
    }
    return render(request, "evals/item.html", context)


@needs("read_content")
@require_safe
def export(request: TeamRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """Send the answered items as examples to train a model on. That somebody read them is recorded."""
    found = access.dataset_for(request.caller, dataset_id, to="read")
    lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in training_data.examples(found)]
    if not lines:
        raise Conflict("None of its items has both a conversation and an answer, so there is nothing to train on.")
    services.read_all(actor=request.caller.actor, dataset=found, items=len(lines))
    response = HttpResponse("".join(lines), content_type="application/jsonl")
    response["Content-Disposition"] = f'attachment; filename="dataset-{found.pk}.jsonl"'
    response["Cache-Control"] = "no-store"
    return response


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def delete_dataset(request: TeamRequest, dataset_id: uuid.UUID) -> HttpResponse:
    """Ask, then remove a dataset with its replays."""
    found = access.dataset_for(request.caller, dataset_id, to="change")
    refused = refused_by(request, lambda: services.delete_dataset(actor=request.caller.actor, dataset=found))
    if refused is None:
        return go(request, reverse("evals:datasets"), f"Removed the dataset {found.name}.")
    context = {"active": "evaluations", "dataset": found, "replays": found.replays.count(), "refused": refused}
    return render(request, "evals/dataset_delete.html", context, status=409 if refused else 200)
