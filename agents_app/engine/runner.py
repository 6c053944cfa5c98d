"""Advance a run step by step until it waits, ends, or other runs want a turn.

1. Take the lease: its fence is in every later write, so a worker that lost it writes nothing.
2. A step: see who may still do this; make the open calls, or ask the model. What is begun is committed before it is
   sent, what came of it before the next step.
3. Waiting holds nothing: the row says until when, and the sweeper or a decision wakes it.
"""

import datetime as dt
import logging
import threading
import time
import uuid

from django.db import transaction

from agents_app.engine import lease, limits, model_steps, tool_steps
from agents_app.engine.ending import end
from agents_app.engine.lease import LeaseLost
from agents_app.engine.turns import Over, Turn
from agents_app.models import Run, Step
from console.core.clock import now

log = logging.getLogger(__name__)
State = Run.State

# A run that has ended this many workers in a row, without one step, is given up.
MOST_ATTEMPTS = 5
# How long one worker keeps a run while others wait for one.
_TURN = 20.0
_PAUSE = 5.0

# Set when the worker is told to stop: no further step begins, and the next worker takes over at once.
stopping = threading.Event()


def advance(run_id: uuid.UUID) -> bool:
    """Take a run as far as one turn goes; return whether it can continue at once. Harmless twice, late or never."""
    run = lease.take(run_id)
    return run is not None and work(run)


def work(run: Run) -> bool:
    """Take a run further whose lease this worker has."""
    try:
        return _work(run)
    except LeaseLost:
        log.warning("Another worker has taken over the run %s, or it is over.", run.public_id)
    except Over as over:
        _end(run, over)
    except limits.LimitReached as reached:
        _end(run, Over(State.FAILED, limits.REACHED, str(reached)))
    except Exception:
        log.exception("The run %s broke; it is tried again.", run.public_id)
        _put_aside(run)
    return False


def _work(run: Run) -> bool:
    if run.state == State.CANCELLING:
        raise Over(State.CANCELLED, "cancelled", run.trouble)
    if run.attempts > MOST_ATTEMPTS:
        raise Over(State.FAILED, "gave_up", f"It ended {MOST_ATTEMPTS} workers in a row at the same step.")
    lease.change(run, **limits.starts(run))
    began, turn = time.monotonic(), Turn(run)
    while True:
        if stopping.is_set() or (time.monotonic() - began > _TURN and _others_wait(run)):
            lease.put_down(run, attempts=0)
            return True
        steps = turn.begin_step()
        goes_on = _step(turn, steps)
        if goes_on is not None:
            return goes_on


def _step(turn: Turn, steps: list[Step]) -> bool | None:
    """Take one step. Returns None to continue, else whether the run can continue at once."""
    unfinished = [step for step in steps if step.state not in Step.OVER]
    for step in unfinished:
        if step.kind == Step.Kind.MODEL and step.state in {Step.State.INTENDED, Step.State.PLANNED}:
            return model_steps.go_on(turn, steps, step)
    if unfinished:
        return tool_steps.take_further(turn, steps)
    asked = [step for step in steps if step.kind == Step.Kind.MODEL and step.state == Step.State.DONE]
    if asked and is_last_word(asked[-1]):
        raise model_steps.finish(turn, asked[-1])
    return model_steps.ask_next(turn, steps)


def is_last_word(step: Step) -> bool:
    """Return whether a model's answer asks for nothing more and needs no better one."""
    output = step.output or {}
    return not output.get("message", {}).get("tool_calls") and not output.get("feedback")


def _others_wait(run: Run) -> bool:
    return Run.objects.filter(lease.free()).exclude(pk=run.pk).exists()


def _end(run: Run, over: Over) -> None:
    try:
        with transaction.atomic():
            end(run, over.state, code=over.code, trouble=over.trouble, output=over.output)
    except LeaseLost:
        log.warning("The run %s is over already, or has another worker.", run.public_id)


def _put_aside(run: Run) -> None:
    """Let the run rest for a moment after something broke; the claim it cost is counted."""
    try:
        lease.put_down(run, wake_at=now() + dt.timedelta(seconds=_PAUSE * run.attempts))
    except LeaseLost:
        return
