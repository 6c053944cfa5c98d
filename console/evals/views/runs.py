"""The Tests tab of a prompt: two versions compared, and the runs."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from console.catalog.access import aliases_for
from console.catalog.models import Pin
from console.core import parsing
from console.core.errors import Refusal
from console.core.htmx import go, is_htmx
from console.evals import access, gate
from console.evals.models import Schedule
from console.evals.queries import comparison, schedules
from console.evals.services import runs
from console.teams.access import needs
from console.teams.callers import TeamRequest
from prompts_app.access import version_for
from prompts_app.models import Prompt, PromptVersion
from prompts_app.views.frame import frame

_MOST_NUMBERS = 200


@needs("view_team")
@require_safe
def tests(request: TeamRequest, slug: str) -> HttpResponse:
    return _page(request, access.prompt_for(request.caller, slug))


@needs("build")
@require_POST
def start(request: TeamRequest, slug: str) -> HttpResponse:
    """Run all cases on one version and one model."""
    prompt = access.prompt_for(request.caller, slug, to="edit")
    try:
        version = version_for(prompt, parsing.number(request.POST.get("version", ""), 0))
        run = runs.start_run(
            actor=request.caller.actor, prompt=prompt, version=version, model=request.POST.get("model", "")
        )
    except Refusal as refusal:
        return _page(request, prompt, refused=refusal.message, status=refusal.status)
    message = f"Running the tests on v{version.number} with {run.model}."
    return go(request, f"{reverse('evals:tests', args=[slug])}?b={version.number}", message)


@needs("view_team")
@require_safe
def run(request: TeamRequest, slug: str, run_id: uuid.UUID) -> HttpResponse:
    """One run with every answer; htmx asks for its progress alone."""
    prompt = access.prompt_for(request.caller, slug)
    row = access.run_for(prompt, run_id)
    context = {
        "active": "prompts",
        "prompt": prompt,
        "progress": comparison.progress_of(row),
        "may_run": access.may_run(request.caller, prompt),
    }
    if is_htmx(request):
        response = render(request, "evals/run.html#progress", context)
        if row.is_over:  # the page then shows what came of it
            response["HX-Refresh"] = "true"
        return response
    # What needs somebody first.
    order = {"error": 0, "failed": 1, "waiting": 2}
    context["results"] = sorted(row.results.all(), key=lambda one: order.get(one.status, 3))
    context["rounds"] = row.rounds.select_related("schedule")
    return render(request, "evals/run.html", context)


@needs("build")
@require_POST
def stop(request: TeamRequest, slug: str, run_id: uuid.UUID) -> HttpResponse:
    prompt = access.prompt_for(request.caller, slug, to="edit")
    row = access.run_for(prompt, run_id)
    runs.stop_run(actor=request.caller.actor, run=row)
    return go(request, reverse("evals:tests", args=[slug]), "Stopped. No further test of this run begins.")


def _page(request: TeamRequest, prompt: Prompt, *, refused: str = "", status: int = 200) -> HttpResponse:
    old, new = _two(request, prompt)
    models = models_for(request, prompt)
    context: dict[str, Any] = {
        **frame(request, prompt, "tests", version=new),
        "is_compared": old.pk != new.pk,
        "matrix": comparison.matrix(prompt, old, new),
        "runs": comparison.runs_of(prompt),
        "schedules": schedules.with_states(Schedule.objects.filter(prompt=prompt)),
        "objections": gate.objections(new, "production"),
        "numbers": list(prompt.versions.values_list("number", flat=True)[:_MOST_NUMBERS]),
        "models": models,
        "model": schedules.usual_model(prompt, models),
        "may_run": access.may_run(request.caller, prompt),
        "refused": refused,
    }
    context["going_on"] = next((one for one in context["runs"] if not one.run.is_over), None)
    return render(request, "evals/tests.html", context, status=status)


def models_for(request: TeamRequest, prompt: Prompt) -> list[tuple[str, str]]:
    """Return what the tests can be run against: the aliases of the owning team, as each environment pins them."""
    pins = (
        Pin.objects.filter(
            alias__in=aliases_for(request.caller, prompt.team), model_version__capabilities__contains=["chat"]
        )
        .select_related("alias", "model_version")
        .order_by("alias__name", "environment")
    )
    return [
        (f"{pin.alias.name}@{pin.environment}", f"{pin.alias.name}, {pin.environment}: {pin.model_version.name}")
        for pin in pins
    ]


def _two(request: TeamRequest, prompt: Prompt) -> tuple[PromptVersion, PromptVersion]:
    """Return the two versions: those of the address, else the newest against what is live (or the one before)."""
    assert prompt.head is not None
    new = parsing.number(request.GET.get("b", ""), prompt.head.number)
    live = prompt.labels.filter(name="production").values_list("version__number", flat=True).first()
    before = live if live is not None and live != new else max(1, new - 1)
    return version_for(prompt, parsing.number(request.GET.get("a", ""), before)), version_for(prompt, new)
