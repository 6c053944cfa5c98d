"""Pages of one schedule of a prompt's tests."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.core.errors import BadInput, Refusal
from console.core.forms import refusals_at, status_of
from console.core.htmx import go
from console.evals import access
from console.evals.forms.schedules import ScheduleForm
from console.evals.models import Schedule
from console.evals.queries import schedules as queries
from console.evals.services import baselines, incidents, schedules
from console.evals.views.runs import models_for
from console.teams.access import needs
from console.teams.callers import TeamRequest
from prompts_app.models import Prompt


def _both(request: TeamRequest, slug: str, schedule_id: uuid.UUID, to: str = "view") -> tuple[Prompt, Schedule]:
    prompt = access.prompt_for(request.caller, slug, to=to)
    return prompt, access.schedule_for(prompt, schedule_id)


def _to(schedule: Schedule) -> str:
    return reverse("evals:schedule", args=[schedule.prompt.slug, schedule.pk])


@needs("view_team")
@require_safe
def schedule(request: TeamRequest, slug: str, schedule_id: uuid.UUID) -> HttpResponse:
    _, found = _both(request, slug, schedule_id)
    return _page(request, found)


def _page(request: TeamRequest, schedule: Schedule, *, refused: str = "", status: int = 200) -> HttpResponse:
    shown = queries.shown_one(schedule)
    context: dict[str, Any] = {
        "active": "evaluations",
        "prompt": schedule.prompt,
        "schedule": schedule,
        "shown": shown,
        "history": queries.history(schedule),
        "rounds": queries.rounds_of(schedule),
        "failing": queries.failing_of(shown.last),
        "incidents": schedule.incidents.exclude(closed_at=None)[:10],
        "may_run": access.may_run(request.caller, schedule.prompt),
        "refused": refused,
        "typed": request.POST.get("reason", ""),
    }
    if context["may_run"]:
        context["runs"] = queries.runs_to_take(schedule)[:10]
    return render(request, "evals/schedule.html", context, status=status)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def new_schedule(request: TeamRequest, slug: str) -> HttpResponse:
    prompt = access.prompt_for(request.caller, slug, to="edit")
    models = models_for(request, prompt)
    form = ScheduleForm(
        request.POST or None,
        prompt=prompt,
        initial={"label": "production", "model": queries.usual_model(prompt, models)},
    )
    if form.is_valid():
        with refusals_at(form):
            made = schedules.create_schedule(actor=request.caller.actor, prompt=prompt, **form.fields_of_schedule())
            return go(request, _to(made), "Scheduled. The first run has begun; it is the baseline.")
    return _form(request, prompt, form, models)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def change_schedule(request: TeamRequest, slug: str, schedule_id: uuid.UUID) -> HttpResponse:
    prompt, found = _both(request, slug, schedule_id, "edit")
    form = ScheduleForm.of(found, request.POST or None)
    if form.is_valid():
        seen = form.cleaned_data["seen_revision"]
        with refusals_at(form):
            schedules.change_schedule(
                actor=request.caller.actor, schedule=found, seen_revision=seen, **form.fields_of_schedule()
            )
            return go(request, _to(found), "Saved. Its runs are yours from now on.")
    return _form(request, prompt, form, models_for(request, prompt), found)


def _form(
    request: TeamRequest,
    prompt: Prompt,
    form: ScheduleForm,
    models: list[tuple[str, str]],
    schedule: Schedule | None = None,
) -> HttpResponse:
    context = {
        "active": "prompts",
        "prompt": prompt,
        "schedule": schedule,
        "form": form,
        "models": models,
        "cases": prompt.test_cases.count(),
    }
    return render(request, "evals/schedule_form.html", context, status=status_of(form))


@needs("build")
@require_POST
def run_schedule(request: TeamRequest, slug: str, schedule_id: uuid.UUID) -> HttpResponse:
    _, found = _both(request, slug, schedule_id, "edit")
    try:
        schedules.run_now(actor=request.caller.actor, schedule=found)
    except Refusal as refusal:
        return _page(request, found, refused=refusal.message, status=refusal.status)
    return go(request, _to(found), "Running the tests.")


@needs("build")
@require_POST
def pause_schedule(request: TeamRequest, slug: str, schedule_id: uuid.UUID) -> HttpResponse:
    _, found = _both(request, slug, schedule_id, "edit")
    schedules.pause_schedule(actor=request.caller.actor, schedule=found)
    return go(request, _to(found), "Paused. No further run begins.")


@needs("build")
@require_POST
def resume_schedule(request: TeamRequest, slug: str, schedule_id: uuid.UUID) -> HttpResponse:
    _, found = _both(request, slug, schedule_id, "edit")
    schedules.resume_schedule(actor=request.caller.actor, schedule=found)
    return go(request, _to(found), "Resumed. Its runs are yours from now on.")


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def delete_schedule(request: TeamRequest, slug: str, schedule_id: uuid.UUID) -> HttpResponse:
    """Ask, then remove a schedule."""
    prompt, found = _both(request, slug, schedule_id, "edit")
    if request.method == "POST":
        schedules.delete_schedule(actor=request.caller.actor, schedule=found)
        return go(request, reverse("evals:tests", args=[slug]), "Removed the schedule.")
    return render(request, "evals/schedule_delete.html", {"active": "prompts", "prompt": prompt, "schedule": found})


@needs("build")
@require_POST
def take_baseline(request: TeamRequest, slug: str, schedule_id: uuid.UUID) -> HttpResponse:
    """Hold later runs against one that is chosen."""
    prompt, found = _both(request, slug, schedule_id, "edit")
    try:
        run = access.run_for(prompt, _uuid(request.POST.get("run", "")))
        baselines.take_baseline(
            actor=request.caller.actor, schedule=found, run=run, reason=request.POST.get("reason", "")
        )
    except Refusal as refusal:
        return _page(request, found, refused=refusal.message, status=refusal.status)
    return go(request, _to(found), "Later runs are held against this one.")


@needs("build")
@require_POST
def close_incident(request: TeamRequest, slug: str, schedule_id: uuid.UUID, incident_id: uuid.UUID) -> HttpResponse:
    _, found = _both(request, slug, schedule_id, "edit")
    incident = access.incident_for(found, incident_id)
    try:
        incidents.close_incident(actor=request.caller.actor, incident=incident, reason=request.POST.get("reason", ""))
    except Refusal as refusal:
        return _page(request, found, refused=refusal.message, status=refusal.status)
    return go(request, _to(found), "Closed.")


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise BadInput("Choose a run.", param="run") from None
