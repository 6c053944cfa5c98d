"""The pages of batches: list, one batch, a new one, cancel, run again, download."""

import uuid
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from console.batches import access, queries, tables
from console.batches.downloads import send_file, send_table
from console.batches.forms import NewBatchForm, TableForm
from console.batches.models import Batch
from console.batches.services import batches as services
from console.batches.services.creator import Creator
from console.batches.services.files import upload_file
from console.batches.tables import ENDPOINT, MOST_BYTES, Calls, calls_from, filename_for
from console.catalog.access import aliases_for
from console.core.errors import Refusal
from console.core.formatting import plural
from console.core.forms import refusals_at, status_of
from console.core.htmx import STOP_POLLING, go, is_htmx
from console.core.ids import parse_id
from console.teams.access import needs, scope_of, teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app.access import prompts_for
from prompts_app.models import Kind

_NAMED = 5  # columns of a table that nothing was made of


def _own_url(request: TeamRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"


@needs("view_usage")
def batches(request: TeamRequest) -> HttpResponse:
    """What runs, and what is over. The piece asks again every two seconds while something runs."""
    team = scope_of(request)
    page = queries.page(access.batches_for(request.caller, team), request.GET.get("cursor", ""))
    may_create = request.caller.may("use_models", team.pk if team else None)
    context = {"active": "batches", "page": page, "may_create": may_create, "base_url": _own_url(request)}
    if is_htmx(request) and request.GET.get("piece") == "lists":
        status = 200 if page.running else STOP_POLLING
        return render(request, "batches/list.html#lists", context, status=status)
    return render(request, "batches/list.html", context)


@needs("view_usage")
def batch(request: TeamRequest, batch_id: uuid.UUID) -> HttpResponse:
    """How far one batch is, what failed in it, and its files."""
    found = access.batch_for(request.caller, batch_id)
    files = queries.existing_files(found)
    may_change = access.may_change(request.caller, found)
    may_rerun = may_change and "input" in files and access.may_read(request.caller, files["input"])
    context = {
        "active": "batches",
        "batch": found,
        "row": queries.Row(found),
        "groups": queries.error_groups(found),
        "files": files,
        "has_table": tables.has_table(found) and "input" in files and len(files) > 1,
        "may_read": access.may_read_results(request.caller, found),
        "may_change": may_change,
        "may_rerun": may_rerun and request.caller.may("use_models", found.team_id),
    }
    if is_htmx(request) and request.GET.get("piece") == "state":
        status = STOP_POLLING if found.is_over else 200
        return render(request, "batches/detail.html#state", context, status=status)
    return render(request, "batches/detail.html", context)


@needs("view_usage")
@require_safe
def named_batch(request: TeamRequest, name: str) -> HttpResponse:
    """Go to the page of a batch from the id the API gave it, `batch_…` or `msgbatch_…`."""
    identifier = parse_id(name.removeprefix("msg"), "batch_")
    if identifier is None:
        raise Http404("There is no such batch.")
    return redirect("batches:batch", access.batch_for(request.caller, identifier).pk)


def _creator(request: TeamRequest, team: Team, environment: str) -> Creator:
    assert request.caller.user is not None
    return Creator(request.caller.actor, team, environment, person_id=request.caller.user.pk)


def _teams_of(request: TeamRequest) -> QuerySet[Team]:
    may = [team.pk for team in teams_for(request.caller) if request.caller.may("use_models", team.pk)]
    return Team.objects.filter(pk__in=may).order_by("name")


@needs("use_models")
def new_batch(request: TeamRequest) -> HttpResponse:
    """Upload a file and run it in the person's own name."""
    teams = _teams_of(request)
    initial = {"team": request.GET.get("team", "")}
    form = NewBatchForm(request.POST or None, request.FILES or None, teams=teams, initial=initial)
    if form.is_valid():
        given = form.cleaned_data
        creator = _creator(request, given["team"], given["environment"])
        with refusals_at(form):
            file = upload_file(
                creator=creator, filename=given["file"].name, purpose="batch", content=given["file"].chunks()
            )
            made = services.create_batch(creator=creator, file=file, endpoint=given["endpoint"])
            return go(request, reverse("batches:batch", args=[made.pk]), "Batch queued. It starts when chat is quiet.")
    return render(request, "batches/new.html", {"active": "batches", "form": form}, status=status_of(form))


@needs("use_models")
def new_from_table(request: TeamRequest) -> HttpResponse:
    """Make a batch of a table: a row is a call of a prompt, in the person's own name."""
    teams = _teams_of(request)
    chosen = {name: request.GET.get(name, "") for name in ("team", "prompt", "model")}
    form = TableForm(request.POST or None, request.FILES or None, teams=teams, initial=chosen)
    if form.is_valid():
        with refusals_at(form):
            made, calls = _of_table(request, form.cleaned_data)
            left = f" Columns not used: {_in_short(calls.ignored)}." if calls.ignored else ""
            message = f"{plural(len(calls.lines), 'row')} queued. They start when chat is quiet.{left}"
            return go(request, reverse("batches:batch", args=[made.pk]), message)
    context = {
        "active": "batches",
        "form": form,
        "prompts": prompts_for(request.caller).exclude(kind=Kind.PARTIAL).order_by("slug").only("slug")[:200],
        "aliases": aliases_for(request.caller).order_by("name").only("name")[:200],
    }
    return render(request, "batches/from_table.html", context, status=status_of(form))


def _in_short(names: list[str]) -> str:
    """Name a few columns: a table may have hundreds, of names as long as texts."""
    few = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:_NAMED]]
    return ", ".join(few) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _of_table(request: TeamRequest, given: dict[str, Any]) -> tuple[Batch, Calls]:
    creator = _creator(request, given["team"], given["environment"])
    raw = given["file"].read(MOST_BYTES + 1)
    calls = calls_from(request.caller, creator, prompt=given["prompt"], model=given["model"], raw=raw)
    file = upload_file(creator=creator, filename=filename_for(given["file"].name), purpose="batch", content=calls.lines)
    return services.create_batch(creator=creator, file=file, endpoint=ENDPOINT), calls


@needs("view_usage")
@require_safe
def table(request: TeamRequest, batch_id: uuid.UUID) -> StreamingHttpResponse:
    """Send what the lines asked and what was answered, as CSV."""
    return send_table(request, request.caller, access.batch_for(request.caller, batch_id))


@needs("view_usage")
def cancel_batch(request: TeamRequest, batch_id: uuid.UUID) -> HttpResponse:
    found = access.batch_for(request.caller, batch_id, to="change")
    if request.method != "POST":
        return render(request, "batches/cancel.html", {"active": "batches", "batch": found})
    try:
        services.cancel_batch(actor=request.caller.actor, batch=found)
    except Refusal as refusal:
        return go(request, reverse("batches:batch", args=[found.pk]), refusal.message)
    message = "No further line starts. Lines in progress finish first."
    return go(request, reverse("batches:batch", args=[found.pk]), message)


@needs("view_usage")
def delete_batch(request: TeamRequest, batch_id: uuid.UUID) -> HttpResponse:
    found = access.batch_for(request.caller, batch_id, to="change")
    if request.method != "POST":
        return render(request, "batches/delete.html", {"active": "batches", "batch": found})
    try:
        services.delete_batch(actor=request.caller.actor, batch=found)
    except Refusal as refusal:
        return go(request, reverse("batches:batch", args=[found.pk]), refusal.message)
    return go(request, reverse("batches:batches"), "Batch deleted.")


@needs("use_models")
@require_POST
def rerun_batch(request: TeamRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Run the lines without an answer again, in the name of whoever asks."""
    found = access.batch_to_rerun(request.caller, batch_id)
    try:
        made = services.rerun_batch(creator=_creator(request, found.team, found.environment), batch=found)
    except Refusal as refusal:
        return go(request, reverse("batches:batch", args=[found.pk]), refusal.message)
    return go(request, reverse("batches:batch", args=[made.pk]), "The lines without an answer are queued again.")


@needs("view_usage")
def download(request: TeamRequest, batch_id: uuid.UUID, what: str) -> StreamingHttpResponse:
    """Send the output or error file."""
    return send_file(request, request.caller, access.batch_for(request.caller, batch_id), what)
