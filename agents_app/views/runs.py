"""The pages of runs: the list, one run with its trace, stop, rerun."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents_app import access
from agents_app.models import Approval, Run
from agents_app.queries import approvals as asked
from agents_app.queries import comparison, run_page
from agents_app.queries import runs as queries
from agents_app.queries.reruns import base_of
from agents_app.queries.trace import trace
from agents_app.services import questions, reruns
from agents_app.services import runs as services
from agents_app.services.approvals import why_not_decide
from console.core import parsing
from console.core.errors import ProviderError, Refusal
from console.core.htmx import STOP_POLLING, go, is_htmx
from console.teams.access import in_scope, needs
from console.teams.callers import TeamRequest
from console.teams.rights import rights_of_actor

ACTIVE = "runs"
_BY_HAND = services.Origin(Run.Trigger.CONSOLE)


@needs("view_team")
@require_safe
def runs(request: TeamRequest) -> HttpResponse:
    """The runs the caller may see, newest first; the list asks again while something moves."""
    visible = in_scope(request, access.runs_for(request.caller), "agent__team")
    agent = request.GET.get("agent", "").replace("\0", "")[:60]
    if agent:
        visible = visible.filter(agent__slug=agent)
    state = request.GET.get("state", "")
    page = queries.page(visible, state, request.GET.get("cursor", ""))
    filters = [(name, label, name == state) for name, (label, _) in queries.FILTERS.items()]
    context = {"active": ACTIVE, "page": page, "state": state, "filters": filters, "agent": agent}
    if is_htmx(request) and request.GET.get("piece") == "list":
        status = 200 if page.is_moving else STOP_POLLING
        return render(request, "agents/runs/list.html#list", context, status=status)
    return render(request, "agents/runs/list.html", context)


@needs("view_team")
@require_safe
def run(request: TeamRequest, run_id: str) -> HttpResponse:
    """What a run did and does, and what it waits for."""
    row = access.run_for(request.caller, run_id)
    partial = request.GET.get("piece") if is_htmx(request) else ""
    approvals = access.approvals_for(request.caller)
    if (
        partial == "cards"
        and not row.is_over
        and request.GET.get("have") == have(run_page.open_approvals(row, approvals))
    ):
        # What a person is typing there must not be swapped away. A run that is over gets an answer that asks no more.
        return HttpResponse(status=204)
    context = page_of(request, row, request.GET.get("step", "")) | {"piece": partial}
    if partial == "state":
        return render(request, "agents/runs/detail.html#state", context, status=STOP_POLLING if row.is_over else 200)
    if partial == "cards":
        return render(request, "agents/runs/detail.html#cards", context)
    return render(request, "agents/runs/detail.html", context)


def page_of(request: TeamRequest, run: Run, number: str = "") -> dict[str, Any]:
    """Return the context of a run's page, with one of its steps open where the address names one."""
    may_read = access.may_read(request.caller, run)
    named = parsing.number(number, None)
    step = run_page.step_of(run, named) if named is not None else None
    if number and step is None:
        raise Http404("The run has no such step.")
    may_stop = not run.is_over and access.runs_for(request.caller, "cancel").filter(pk=run.pk).exists()
    may_run = run.version_id is not None and access.may(request.caller, run.agent, "use")
    approvals = run_page.open_approvals(run, access.approvals_for(request.caller))
    return {
        "active": ACTIVE,
        "run": run,
        "row": queries.Row(run),
        "trace": trace(run),
        "step": step,
        "parts": run_page.parts_of(step) if step is not None and may_read else [],
        "cards": cards_of(request, approvals),
        "have": have(approvals),
        "questions": run_page.questions_of(run) if may_read else [],
        "may_ask": may_read and request.caller.user is not None and run.steps_done > 0 and not run.forgotten_at,
        "input": run_page.input_text(run.input) if may_read else "",
        "output": run_page.outcome(run.output) if may_read else "",
        "may_read": may_read,
        "may_read_log": request.caller.may("view_audit", run.team_id),
        "may_stop": may_stop,
        "may_run": may_run and run.is_over and not run.forgotten_at,
        "may_go_on": may_run and may_read and not run.forgotten_at,
    }


def cards_of(request: TeamRequest, approvals: Sequence[Approval]) -> list[asked.Card]:
    """Return approvals as whoever looks may decide them; each team's rights are read once."""
    actor, rights_in = request.caller.actor, cache(rights_of_actor)
    seen = access.approvals_for(request.caller)
    return asked.cards(approvals, seen, lambda one: why_not_decide(actor, one, rights_in))


def have(approvals: Sequence[Approval]) -> str:
    """Return which approvals a page shows, for the question whether others wait by now."""
    return "-".join(approval.pk.hex[-12:] for approval in approvals)


@needs("view_team")
def cancel_run(request: TeamRequest, run_id: str) -> HttpResponse:
    run = access.run_for(request.caller, run_id, to="cancel")
    if request.method != "POST":
        return render(request, "agents/runs/cancel.html", {"active": ACTIVE, "run": run})
    url = reverse("agents:run", args=[run.public_id])
    try:
        services.cancel_run(actor=request.caller.actor, run=run)
    except Refusal as refusal:
        return go(request, url, refusal.message)
    return go(request, url, "No further step starts. A call in progress is aborted within seconds.")


@needs("use_models")
@require_POST
def run_again(request: TeamRequest, run_id: str) -> HttpResponse:
    """Start a new run of the same version with the same input, in the name of whoever asks."""
    run = access.run_for(request.caller, run_id)
    if not access.may_read(request.caller, run):
        raise Http404("There is no such run.")
    agent = access.agent_for(request.caller, run.agent.slug, to="use")
    try:
        new = reruns.rerun(actor=request.caller.actor, agent=agent, run=run, origin=_BY_HAND)
    except Refusal as refusal:
        return go(request, reverse("agents:run", args=[run.public_id]), refusal.message)
    return go(request, reverse("agents:run", args=[new.public_id]), "Started a new run with the same input.")


@needs("use_models")
def run_again_from(request: TeamRequest, run_id: str, number: int) -> HttpResponse:
    """Start a new run that takes over what came before one of this run's steps, and asks the model again from there."""
    run = access.run_for(request.caller, run_id)
    if not access.may_read(request.caller, run):
        raise Http404("There is no such run.")
    agent = access.agent_for(request.caller, run.agent.slug, to="use")
    base = base_of(run, number)
    trouble = ""
    if request.method == "POST":
        try:
            new = reruns.rerun_from(actor=request.caller.actor, agent=agent, run=run, number=number, origin=_BY_HAND)
        except Refusal as refusal:
            trouble = refusal.message
        else:
            message = f"Started a new run from step {base.first}. The steps before it are reused."
            return go(request, reverse("agents:run", args=[new.public_id]), message)
    context = {"active": ACTIVE, "run": run, "row": queries.Row(run), "base": base, "trouble": trouble}
    return render(request, "agents/runs/again.html", context, status=422 if trouble else 200)


@needs("use_models")
@require_POST
def ask(request: TeamRequest, run_id: str) -> HttpResponse:
    """Ask the run why. The answer rests on the recorded steps; asking can call no tool."""
    run = access.run_for(request.caller, run_id)
    if not access.may_read(request.caller, run):
        raise PermissionDenied(
            "Only the person who started the run, and people who may read content, can see what it did."
        )
    if request.caller.user is None:
        raise PermissionDenied("Runs are asked by people.")
    question, trouble = request.POST.get("question", ""), ""
    try:
        questions.ask_run(actor=request.caller.actor, user=request.caller.user, run=run, question=question)
        question = ""
    except (Refusal, ProviderError) as error:
        trouble = error.message
    context = page_of(request, run) | {"typed_question": question, "ask_trouble": trouble}
    status = 422 if trouble else 200
    if is_htmx(request):
        return render(request, "agents/runs/detail.html#ask", context, status=status)
    if trouble:
        return render(request, "agents/runs/detail.html", context, status=status)
    return go(request, reverse("agents:run", args=[run.public_id]) + "#ask")


@needs("view_team")
@require_safe
def compare(request: TeamRequest, run_id: str) -> HttpResponse:
    """Two runs beside each other, step by step; without `with` the one it runs again, or the one before."""
    run = access.run_for(request.caller, run_id)
    visible = access.runs_for(request.caller)
    other_id = request.GET.get("with", "")
    other = access.run_for(request.caller, other_id) if other_id else comparison.neighbour(run, visible)
    readable = [access.may_read(request.caller, side) for side in (run, other) if side is not None]
    context = {
        "active": ACTIVE,
        "run": run,
        "other": other,
        "comparison": comparison.comparison(other, run, with_content=all(readable)) if other is not None else None,
        "candidates": comparison.candidates(run, visible),
    }
    return render(request, "agents/runs/compare.html", context)
