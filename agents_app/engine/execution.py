"""Run the permitted tool calls of a turn concurrently. Each intent is committed first, each outcome as it arrives."""

import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, wait

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from agents_app.engine import lease, limits
from agents_app.engine.approval_requests import Kind, ask
from agents_app.engine.tool_calls import Outcome, TooLate, call_for, call_tool, may_repeat
from agents_app.engine.tool_records import UNKNOWN, may_have_happened, note_call
from agents_app.engine.turns import Over, Turn
from agents_app.models import Approval, Step, Tool
from agents_app.tools.base import Pause, Result, ToolFailed, cut
from console.core.clock import now
from console.core.ids import uuid7
from console.gateway import sync

log = logging.getLogger(__name__)
State = Step.State
MOST_ATTEMPTS = 3
# A call that does not end when it is cancelled is left behind after this long.
_PATIENCE = 2.0
# How long a call rests that a worker came to too late.
_PAUSE = 1.0


def make_calls(turn: Turn, steps: Sequence[Step]) -> float:
    """Make the calls of these steps and store what comes of each; return how long to rest before a repeat."""
    run = turn.run
    limits.check(run, tool_calls=len(steps), steps=len(steps))
    moment = time.monotonic()
    with transaction.atomic():
        lease.change(run, tool_calls=F("tool_calls") + len(steps))
        for step in steps:
            step.state, step.request_id, step.intended_at = State.INTENDED, uuid7(), now()
            step.fence, step.attempts, step.tool = run.fence, step.attempts + 1, turn.tools[step.tool_name]
            step.save(update_fields=["state", "request_id", "intended_at", "fence", "attempts", "tool"])
    turn.holds_from(moment)
    open_calls: dict[Future[Outcome], Step] = {}
    try:
        for step in steps:
            tool = turn.tools[step.tool_name]
            try:
                call = call_for(run, step, tool)
            except ToolFailed as failed:
                _write(turn, [(step, failed)])
                continue
            open_calls[sync.start(call_tool(tool.kind, call, latest=turn.latest()))] = step
        while open_calls:
            ended = turn.wait_for(list(open_calls))
            _write(turn, [(open_calls.pop(call), _outcome(call)) for call in ended])
    except (Over, limits.LimitReached):
        _cut_off(turn, open_calls)
        raise
    except BaseException:
        for future in open_calls:
            future.cancel()
        raise
    again = [step for step in steps if step.state == State.PLANNED]
    return max((2.0**step.attempts if step.attempts else _PAUSE for step in again), default=0.0)


def _outcome(call: "Future[Outcome]") -> Outcome:
    try:
        return call.result()
    except CancelledError:
        return ToolFailed("The call was cut off.", is_unknown=True)


def _cut_off(turn: Turn, open_calls: "dict[Future[Outcome], Step]") -> None:
    """End what still runs, because the run ends. What came to its end all the same is stored."""
    for call in open_calls:
        call.cancel()
    wait(open_calls, timeout=_PATIENCE)
    came = [(step, call.result()) for call, step in open_calls.items() if call.done() and not call.cancelled()]
    _write(turn, [(step, outcome) for step, outcome in came if isinstance(outcome, Result | TooLate)])
    with transaction.atomic():
        lease.change(turn.run)
        for step in open_calls.values():
            if step.state == State.INTENDED:
                note_call(
                    turn.run, step, status="interrupted", code="run_ended", reason="The run ended during the call."
                )


def _write(turn: Turn, outcomes: Sequence[tuple[Step, Outcome]]) -> None:
    with transaction.atomic():
        for step, outcome in outcomes:
            if isinstance(outcome, Result):
                _done(turn, step, outcome)
            elif isinstance(outcome, Pause):
                _pause(turn, step, outcome)
            elif isinstance(outcome, TooLate):
                _not_begun(turn, step)
            else:
                _failed(turn, step, outcome)


def _done(turn: Turn, step: Step, result: Result) -> None:
    content = cut(result.content.replace("\x00", "\ufffd"), turn.tools[step.tool_name].most_bytes)
    step.output = {**(step.output or {}), "content": _with_edit(step, content)}
    step.state, step.is_error, step.note = State.DONE, result.is_error, result.note[:200]
    step.cost_micros = result.cost_micros
    lease.change(
        turn.run,
        attempts=0,
        steps_done=F("steps_done") + 1,
        tokens=F("tokens") + result.tokens,
        cost_micros=F("cost_micros") + result.cost_micros,
    )
    Step.objects.filter(pk=step.pk).update(
        state=step.state,
        output=step.output,
        is_error=step.is_error,
        note=step.note,
        prompt_tokens=result.tokens - result.completion_tokens,
        completion_tokens=result.completion_tokens,
        cost_micros=step.cost_micros,
        trouble="",
        ended_at=Now(),
    )
    note_call(turn.run, step, status="ok", output=content, code="tool_error" if result.is_error else "")


def _with_edit(step: Step, content: str) -> str:
    """Tell the model when a person changed what it asked for: it would draw wrong conclusions otherwise."""
    if not any(decision.get("edited") for decision in step.decisions):
        return content
    arguments = json.dumps(step.arguments, ensure_ascii=False)
    return f"[A person changed the arguments before approving: {arguments}]\n{content}"


def _pause(turn: Turn, step: Step, pause: Pause) -> None:
    lease.change(turn.run, attempts=0)
    step.state, step.note = State.WAITING, pause.note[:200]
    if pause.until is not None:
        step.output = {**(step.output or {}), "until": pause.until.isoformat()}
    step.save(update_fields=["state", "note", "output"])
    if pause.form is not None:
        ask(turn.run, step, Kind.QUESTION, form=pause.form, reason=pause.question)
    note_call(turn.run, step, status="ok", output=pause.note)


def _not_begun(turn: Turn, step: Step) -> None:
    """Plan a call again that this worker came to too late: nothing was sent, so it is no attempt. Time bounds it."""
    log.warning("A worker was too slow to begin a call of the run %s; it is made later.", turn.run.public_id)
    lease.change(turn.run, tool_calls=Greatest(F("tool_calls") - 1, 0))
    step.state, step.attempts = State.PLANNED, step.attempts - 1
    step.save(update_fields=["state", "attempts"])


def _failed(turn: Turn, step: Step, failed: ToolFailed) -> None:
    repeats = failed.may_retry or (failed.is_unknown and may_repeat(turn.tools[step.tool_name]))
    code = UNKNOWN if failed.is_unknown else "tool_failed"
    lease.change(turn.run, attempts=0)
    note_call(turn.run, step, status="error", code=code, reason=failed.sentence)
    if repeats and step.attempts < MOST_ATTEMPTS:
        step.state, step.trouble = State.PLANNED, failed.sentence[:1000]
        step.save(update_fields=["state", "trouble"])
        return
    if turn.tools[step.tool_name].effect != Tool.Effect.READ and (failed.is_unknown or may_have_happened(step)):
        step.state, step.trouble = State.UNKNOWN, failed.sentence[:1000]
        step.save(update_fields=["state", "trouble"])
        ask(turn.run, step, Approval.Kind.OUTCOME, reason=failed.sentence)
        return
    step.state = State.FAILED
    lease.change(turn.run, steps_done=F("steps_done") + 1)
    Step.objects.filter(pk=step.pk).update(
        state=step.state, trouble=failed.sentence[:1000], is_error=True, ended_at=Now(), note=failed.sentence[:200]
    )
