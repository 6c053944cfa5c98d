"""Pages of replays: the list, a new one with its estimated cost, its report, and one item."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.catalog.access import aliases_for
from console.catalog.models import Pin
from console.core.errors import Refusal
from console.core.formatting import plural
from console.core.forms import refuse, refused_by
from console.core.htmx import go, is_htmx
from console.evals import access
from console.evals.checks import EMBED_ALIAS, KINDS
from console.evals.forms.cases import CheckRow, read_checks, specs_of
from console.evals.forms.datasets import DrawnSampleForm, SampleForm
from console.evals.forms.replays import LOG, ReplayForm
from console.evals.models import Dataset, Replay
from console.evals.queries import replays as queries
from console.evals.queries.side_by_side import lines_of
from console.evals.services import datasets as dataset_services
from console.evals.services import replays as services
from console.evals.views.datasets import lists_for, page_number, pages
from console.teams.access import denied, in_scope, needs
from console.teams.callers import TeamRequest
from console.teams.models import Team

_A_PAGE = 100
_MOST = 200


@needs("view_team")
@require_safe
def replays(request: TeamRequest) -> HttpResponse:
    rows = in_scope(request, access.replays_for(request.caller))
    page = page_number(request)
    found = queries.progress_of(rows, first=(page - 1) * _A_PAGE, most=_A_PAGE)
    total = len(found) if page == 1 and len(found) < _A_PAGE else rows.count()
    context = {
        "active": "evaluations",
        "tab": "replays",
        "replays": found,
        "counted": plural(total, "replay"),
        "may_start": bool(access.teams_to(request.caller, "start")),
        **pages(page, total),
    }
    return render(request, "evals/replays.html", context)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def new_replay(request: TeamRequest) -> HttpResponse:
    """Choose, see what it would cost, and start. A sample is drawn before the estimate, which is of its calls."""
    teams = access.teams_to(request.caller, "start")
    if not teams:
        raise denied()
    sampled = [team for team in teams if access.may(request.caller, "sample", team.pk)]
    form = _form(request, teams, may_sample=bool(sampled), data=request.POST or None)
    is_drawn = request.POST.get("dataset") == LOG
    sample = DrawnSampleForm(request.POST if is_drawn else None, teams=sampled, initial=_initial(request))
    checks, do = read_checks(request.POST), request.POST.get("do", "plan")
    if request.method != "POST":
        return _form_page(request, form, sample, checks)
    if do == "add" or do.startswith("remove-"):
        checks = [row for at, row in enumerate(checks) if do != f"remove-{at}"]
        return _form_page(request, form, sample, [*checks, CheckRow()] if do == "add" else checks, status=200)
    if not form.is_valid() or (is_drawn and not sample.is_valid()):
        return _form_page(request, form, sample, checks)
    if do == "change":
        return _form_page(request, form, sample, checks, status=200)
    try:
        wanted = _arguments(request, form, checks)
        if form.dataset_id is not None:
            return _of_dataset(request, form, checks, wanted, form.dataset_id)
    except Refusal as refusal:
        refuse(form, refusal)
        return _form_page(request, form, sample, checks)
    return _of_log(request, form, sample, checks, wanted)


def _of_dataset(
    request: TeamRequest, form: ReplayForm, checks: list[CheckRow], arguments: dict[str, Any], dataset_id: uuid.UUID
) -> HttpResponse:
    """Start, or show what it would cost. May raise Refusal."""
    dataset = access.dataset_for(request.caller, dataset_id, to="start")
    if request.POST.get("do") != "start":
        return _confirm(request, form, checks, dataset, arguments)
    started = services.start_replay(actor=request.caller.actor, dataset=dataset, **arguments)
    return go(request, _to(started), "Started. The answers come in below.")


def _of_log(
    request: TeamRequest, form: ReplayForm, sample: DrawnSampleForm, checks: list[CheckRow], arguments: dict[str, Any]
) -> HttpResponse:
    """Draw a sample and show what it would cost to ask."""
    try:
        made, said = _drawn(request, sample, arguments)
    except Refusal as refusal:
        refuse(sample if refusal.param in sample.fields else form, refusal)
        return _form_page(request, form, sample, checks)
    try:
        return _confirm(request, form, checks, made, arguments, said)
    except Refusal as refusal:  # the sample is there, and need not be drawn again
        teams = access.teams_to(request.caller, "start")
        form = _form(request, teams, may_sample=True, data={**request.POST.dict(), "dataset": str(made.pk)})
        form.is_valid()
        refuse(form, refusal)
        return _form_page(request, form, sample, checks)


def _form(request: TeamRequest, teams: list[Team], *, may_sample: bool, data: Any) -> ReplayForm:
    datasets = access.datasets_for(request.caller).filter(team__in=teams)[:_MOST]
    return ReplayForm(data, datasets=datasets, may_sample=may_sample, initial=_initial(request))


def _arguments(request: TeamRequest, form: ReplayForm, checks: list[CheckRow]) -> dict[str, Any]:
    """Return the candidate and the checks as the services take them."""
    given, version = form.cleaned_data, None
    if given["prompt"]:
        version = access.candidate_for(request.caller, given["prompt"], given["version"])
    return {
        "model": given["model"],
        "version": version,
        "checks": specs_of(checks),
        "likeness_by": EMBED_ALIAS if given["likeness"] else "",
    }


def _drawn(request: TeamRequest, sample: SampleForm, arguments: dict[str, Any]) -> tuple[Dataset, str]:
    """Draw a sample for a candidate that can be asked: of its prompt, where it is a version of one."""
    actor, team = request.caller.actor, sample.chosen_team
    services.check_wanted(actor=actor, team=team, **arguments)
    if arguments["version"] is not None and not sample.cleaned_data["prompt"]:
        sample.cleaned_data["prompt"] = arguments["version"].prompt.slug
    made, drawn = dataset_services.sample_dataset(
        actor=actor,
        team=team,
        name=sample.usual_name(),
        wanted=sample.wanted(),
        chosen=sample.chosen(),
        is_named=False,
    )
    return made, drawn.summary


def _confirm(
    request: TeamRequest,
    form: ReplayForm,
    checks: list[CheckRow],
    dataset: Dataset,
    arguments: dict[str, Any],
    message: str = "",
) -> HttpResponse:
    replay, _, costs = services.plan(actor=request.caller.actor, dataset=dataset, **arguments)
    context = {
        "active": "evaluations",
        "replay": replay,
        "dataset": dataset,
        "costs": costs,
        "said": message,
        "given": form.cleaned_data,
        "checks": checks,
    }
    return render(request, "evals/replay_confirm.html", context)


def _initial(request: TeamRequest) -> dict[str, str]:
    named = {name: request.GET[name] for name in ("team", "alias", "model", "prompt", "version") if name in request.GET}
    return {**named, "dataset": request.GET.get("dataset", LOG)}


def _form_page(
    request: TeamRequest, form: ReplayForm, sample: SampleForm, checks: list[CheckRow], status: int = 0
) -> HttpResponse:
    if status == 200:  # nothing was sent off yet, so nothing is wrong with it
        form.errors.clear()
        sample.errors.clear()
    context = {
        "active": "evaluations",
        "form": form,
        "sample": sample,
        "checks": checks,
        "kinds": KINDS.items(),
        "can_add": len(checks) < services.MOST_CHECKS,
        "models": _models(request),
        **lists_for(request),
    }
    return render(request, "evals/replay_form.html", context, status=status or (422 if form.is_bound else 200))


def _models(request: TeamRequest) -> list[tuple[str, str]]:
    """Return what can answer: the aliases of the caller's teams, as each environment pins them."""
    pins = (
        Pin.objects.filter(alias__in=aliases_for(request.caller), model_version__capabilities__contains=["chat"])
        .select_related("alias", "model_version")
        .order_by("alias__name", "environment")
    )
    return [
        (f"{pin.alias.name}@{pin.environment}", f"{pin.alias.name}, {pin.environment}: {pin.model_version.name}")
        for pin in pins[:_MOST]
    ]


def _to(replay: Replay) -> str:
    return reverse("evals:replay", args=[replay.pk])


@needs("view_team")
@require_safe
def replay(request: TeamRequest, replay_id: uuid.UUID) -> HttpResponse:
    """What was recorded and what the candidate did, side by side; htmx asks for it again while it continues."""
    found = access.replay_for(request.caller, replay_id)
    return _page(request, found)


def _page(request: TeamRequest, replay: Replay, *, refused: str = "", status: int = 200) -> HttpResponse:
    rows = queries.rows_of(replay)
    has_record = replay.dataset.source == Dataset.Source.LOG
    report = queries.report(rows, has_record=has_record)
    page = page_number(request)
    context = {
        "active": "evaluations",
        "replay": replay,
        "report": report,
        "lines": lines_of(report),
        "rows": queries.in_order(rows)[(page - 1) * _A_PAGE : page * _A_PAGE],
        "has_record": has_record,
        "may_read": access.may(request.caller, "read", replay.team_id),
        "may_change": access.may(request.caller, "change", replay.team_id),
        "may_retry": access.may(request.caller, "start", replay.team_id) and bool(report.errors or report.waiting),
        "refused": refused,
        **pages(page, len(rows)),
    }
    if is_htmx(request) and request.method != "POST":
        response = render(request, "evals/replay.html#report", context)
        if replay.is_over:  # the page then shows what came of it
            response["HX-Refresh"] = "true"
        return response
    return render(request, "evals/replay.html", context, status=status)


@needs("read_content")
@require_safe
def result(request: TeamRequest, replay_id: uuid.UUID, place: int) -> HttpResponse:
    """One item: what was asked, what was answered then, and what the candidate says. The look is recorded."""
    found = access.result_for(request.caller, replay_id, place)
    services.read_result(actor=request.caller.actor, replay=found.replay, result=found)
    context = {
        "active": "evaluations",
        "replay": found.replay,
        "shown": queries.shown_item(found),
        "has_record": found.replay.dataset.source == Dataset.Source.LOG,
    }
    return render(request, "evals/replay_item.html", context)


@needs("build")
@require_POST
def stop_replay(request: TeamRequest, replay_id: uuid.UUID) -> HttpResponse:
    found = access.replay_for(request.caller, replay_id, to="change")
    services.stop_replay(actor=request.caller.actor, replay=found)
    return go(request, _to(found), "Stopped. No further item of this replay begins.")


@needs("build")
@require_POST
def retry_replay(request: TeamRequest, replay_id: uuid.UUID) -> HttpResponse:
    """Ask again what has no answer yet."""
    found = access.replay_for(request.caller, replay_id, to="start")
    try:
        count = services.retry_replay(actor=request.caller.actor, replay=found)
    except Refusal as refusal:
        return _page(request, found, refused=refusal.message, status=refusal.status)
    return go(request, _to(found), f"Asking {plural(count, 'item')} again.")


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def delete_replay(request: TeamRequest, replay_id: uuid.UUID) -> HttpResponse:
    """Ask, then remove a replay with its answers."""
    found = access.replay_for(request.caller, replay_id, to="change")
    refused = refused_by(request, lambda: services.delete_replay(actor=request.caller.actor, replay=found))
    if refused is None:
        return go(request, reverse("evals:replays"), "Removed the replay.")
    context = {"active": "evaluations", "replay": found, "refused": refused}
    return render(request, "evals/replay_delete.html", context, status=409 if refused else 200)
