"""End a run once: its state, its open steps, and its audit record."""

from collections.abc import Callable
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from agents_app.engine.lease import LeaseLost
from agents_app.models import Approval, Run, Step
from console.audit import actions
from console.audit.services import record
from console.teams.actors import SYSTEM

# Called with a run that has just ended, inside the transaction of its end: whoever waits for it enqueues work.
LISTENERS: list[Callable[[Run], None]] = []
_LONGEST_TROUBLE = 1000


def end(run: Run, state: str, *, code: str = "", trouble: str = "", output: Any = None) -> None:
    """End a run as its worker, or under its row's lock. The database refuses every change of state after that."""
    leased = Run.objects.filter(pk=run.pk, fence=run.fence).exclude(state__in=Run.OVER)
    ended = leased.update(
        state=state,
        code=code,
        trouble=trouble[:_LONGEST_TROUBLE],
        output=output,
        waits_for="",
        fence=F("fence") + 1,  # whoever still works on it is told
        lease_until=None,
        wake_at=None,
        worker="",
        ended_at=Now(),
    )
    if not ended:
        raise LeaseLost
    _close_steps(run)
    Approval.objects.filter(run=run, state=Approval.State.WAITING).update(
        state=Approval.State.CANCELLED, decided_at=Now()
    )
    run.refresh_from_db()
    detail = {
        "state": state,
        "steps": run.steps_done,
        "model_calls": run.model_calls,
        "tool_calls": run.tool_calls,
        "tokens": run.tokens,
        "cost_micros": run.cost_micros,
    }
    status = {Run.State.SUCCEEDED: "ok", Run.State.CANCELLED: "ok"}.get(Run.State(state), "error")
    record(
        actions.RUN_ENDED,
        actor=SYSTEM,
        target=run,
        target_name=run.public_id,
        team=run.team,
        detail=detail,
        status=status,
        code=code,
        reason=trouble[:500],
        surface="agent",
    )
    for listener in LISTENERS:
        listener(run)


def _close_steps(run: Run) -> None:
    """End the steps that never will: what was begun and has no outcome stays marked as that."""
    steps = Step.objects.filter(run=run)
    steps.filter(state__in=[Step.State.PLANNED, Step.State.WAITING]).update(
        state=Step.State.CANCELLED, ended_at=Now(), trouble="The run ended before this began."
    )
    begun = steps.filter(state=Step.State.INTENDED)
    begun.exclude(kind=Step.Kind.TOOL).update(
        state=Step.State.CANCELLED, ended_at=Now(), trouble="The run ended during this step."
    )
    begun.filter(kind=Step.Kind.TOOL).update(
        state=Step.State.UNKNOWN, trouble="The run ended during this call, so what came of it is not known."
    )
