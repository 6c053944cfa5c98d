"""The model's step of a turn: one call, and its answer stored together with the tool calls it asks for."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from agents_app.engine import compaction, lease, limits, recovery
from agents_app.engine.answers import Answer, RequestedCall
from agents_app.engine.approval_requests import ask
from agents_app.engine.history import messages_of
from agents_app.engine.identity import RunIdentity
from agents_app.engine.model_calls import (
    MOST_ATTEMPTS,
    Line,
    ModelAnswer,
    Outcome,
    Trouble,
    Unknown,
    ask_for,
    ask_model,
    show_again,
)
from agents_app.engine.tool_records import LOST, note_refusal
from agents_app.engine.turns import Over, Turn
from agents_app.grants.schemas import WrongArguments, check_arguments
from agents_app.models import Approval, Run, Step
from console.core.clock import now
from console.core.errors import Refusal
from console.core.formatting import tally
from console.core.ids import time_of, uuid7
from console.gateway import sync

Kind, State = Step.Kind, Step.State
# How often a model is told that its last answer does not fit the schema.
_MOST_FEEDBACK = 2
_LOOK_AGAIN = 2.0


def ask_next(turn: Turn, steps: Sequence[Step]) -> bool | None:
    """Ask the model for the next turn. Returns None to continue, else whether the run can continue at once."""
    run = turn.run
    limits.check(run, steps=1, model_calls=1, tokens=1)
    if shortened(turn, steps):
        return None
    step = _next_step(run, steps)
    moment = time.monotonic()
    with transaction.atomic():
        if run.is_step_by_step:
            lease.change(run)
            step.save(force_insert=True)
            ask(run, step, Approval.Kind.STEP, reason="The model is asked next.")
            step.save(update_fields=["state"])
            return None
        _begin(run, step)
    turn.holds_from(moment)
    return _send(turn, steps, step)


def go_on(turn: Turn, steps: Sequence[Step], step: Step) -> bool | None:
    """Take up a step that was begun by a worker who is gone, or that waited for a person."""
    if step.state == State.INTENDED:
        return _record(turn, steps, step, _recovered(turn, steps, step))
    moment = time.monotonic()
    with transaction.atomic():
        _begin(turn.run, step)
    turn.holds_from(moment)
    return _send(turn, steps, step)


def _recovered(turn: Turn, steps: Sequence[Step], step: Step) -> Outcome:
    """Return what came of a call somebody else has made. Hooks see its answer before it counts, maybe once more."""
    outcome, body = recovery.look_up(step)
    if not isinstance(outcome, ModelAnswer):
        return outcome
    try:
        messages = messages_of(turn.run, turn.definition, [one for one in steps if one.number < step.number])
        asked = ask_for(turn.run, turn.definition, step, messages, turn.offered(), _most_output(turn))
    except Refusal as refusal:
        return Trouble(refusal.code, refusal.message)
    shown = sync.start(show_again(asked, body))
    turn.wait_for([shown])
    return shown.result() or outcome


def _next_step(run: Run, steps: Sequence[Step]) -> Step:
    last = steps[-1] if steps else None
    asked = [step for step in steps if step.kind == Kind.MODEL]
    is_retry = bool(asked) and asked[-1].state == State.FAILED
    turn = 1 if not asked else asked[-1].turn if is_retry else asked[-1].turn + 1
    return Step(run=run, number=last.number + 1 if last else 1, turn=turn, kind=Kind.MODEL, fence=run.fence)


def _begin(run: Run, step: Step) -> None:
    """Commit the intent with the id of the request, so that whoever comes after finds what came of it."""
    lease.change(run, model_calls=F("model_calls") + 1)
    step.state, step.request_id, step.intended_at, step.fence = State.INTENDED, uuid7(), now(), run.fence
    step.save()


def _send(turn: Turn, steps: Sequence[Step], step: Step) -> bool | None:
    run, line = turn.run, Line()
    assert step.request_id is not None
    try:
        messages = messages_of(run, turn.definition, steps)
        asked = ask_for(run, turn.definition, step, messages, turn.offered(), _most_output(turn))
    except Refusal as refusal:
        return _record(turn, steps, step, Trouble(refusal.code, refusal.message))
    identify = RunIdentity(run, time_of(step.request_id))
    call = sync.start(ask_model(identify, asked, line, latest=turn.latest()))
    try:
        turn.wait_for([call])
    except (Over, limits.LimitReached):
        _cut_off(line, call, "run_ended")
        raise
    except BaseException:
        _cut_off(line, call, LOST)
        raise
    return _record(turn, steps, step, call.result())


def _cut_off(line: Line, call: "Future[Outcome]", why: str) -> None:
    line.cut_off = why
    if line.call is not None:
        line.call.cut_off = why
    call.cancel()


def _most_output(turn: Turn) -> int | None:
    wanted, left = turn.definition.limits.get("output_tokens"), limits.tokens_left(turn.run)
    known = [number for number in (wanted, left) if number is not None]
    return max(min(known), 1) if known else None


def _record(turn: Turn, steps: Sequence[Step], step: Step, outcome: Outcome) -> bool | None:
    run = turn.run
    if isinstance(outcome, Unknown):
        lease.put_down(run, wake_at=now() + timedelta(seconds=_LOOK_AGAIN), attempts=0)
        return False
    if isinstance(outcome, Trouble):
        return _fail(turn, steps, step, outcome)
    with transaction.atomic():
        _keep(turn, steps, step, outcome)
    return None


def _fail(turn: Turn, steps: Sequence[Step], step: Step, trouble: Trouble) -> bool | None:
    run = turn.run
    with transaction.atomic():
        lease.change(run, attempts=0, **({} if trouble.counts else {"model_calls": Greatest(F("model_calls") - 1, 0)}))
        Step.objects.filter(pk=step.pk).update(
            state=State.FAILED,
            trouble=trouble.sentence[:1000],
            note=trouble.code[:200],
            attempts=int(trouble.counts),
            ended_at=Now(),
        )
    attempts = 1 + _failures_before(steps, step)
    if trouble.wait is None or (trouble.counts and attempts >= MOST_ATTEMPTS):
        raise Over(Run.State.FAILED, trouble.code[:60], trouble.sentence)
    if trouble.wait == 0:
        return None
    seconds = max(trouble.wait, 2.0**attempts) if trouble.counts else trouble.wait
    lease.put_down(run, wake_at=now() + timedelta(seconds=seconds), waits_for=trouble.sentence[:200], attempts=0)
    return False


def _failures_before(steps: Sequence[Step], step: Step) -> int:
    """Return how often the model failed for this answer: not how often a limit, or a worker, was in the way."""
    count = 0
    for one in reversed([one for one in steps if one.kind == Kind.MODEL and one.number < step.number]):
        if one.state != State.FAILED:
            break
        count += one.attempts
    return count


def _keep(turn: Turn, steps: Sequence[Step], step: Step, outcome: ModelAnswer) -> None:
    """Write the answer, what it cost, and the calls it asks for, in one transaction."""
    run, answer = turn.run, outcome.answer
    refused = [call for call in answer.calls if call.problem]
    feedback = _feedback(turn, steps, answer)
    lease.change(
        run,
        attempts=0,
        waits_for="",
        steps_done=F("steps_done") + 1 + len(refused),
        tokens=F("tokens") + outcome.prompt_tokens + outcome.completion_tokens,
        cost_micros=F("cost_micros") + outcome.cost_micros,
    )
    Step.objects.filter(pk=step.pk).update(
        state=State.DONE,
        output={"message": answer.message, "finish": answer.finish} | ({"feedback": feedback} if feedback else {}),
        note=_note(answer)[:200],
        model=outcome.model[:270],
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
        cost_micros=outcome.cost_micros,
        ended_at=Now(),
    )
    planned = [_planned(turn, step, number, call) for number, call in enumerate(answer.calls, step.number + 1)]
    Step.objects.bulk_create(planned)
    for one in planned:
        if one.state == State.FAILED:
            note_refusal(run, one, code="invalid_arguments", reason=one.trouble)


def _planned(turn: Turn, step: Step, number: int, call: RequestedCall) -> Step:
    planned = Step(
        run=turn.run,
        number=number,
        turn=step.turn,
        kind=Kind.TOOL,
        tool=turn.tools.get(call.name) if call.name in turn.grants else None,
        tool_name=call.name,
        call_id=call.id,
        arguments=call.arguments,
        fence=turn.run.fence,
    )
    if call.problem:
        planned.state, planned.trouble, planned.is_error = State.FAILED, call.problem, True
        planned.ended_at = now()
    return planned


def _note(answer: Answer) -> str:
    if answer.calls:
        return "Wants " + tally(call.name or "a call without a name" for call in answer.calls)
    return "Answered, cut at the longest an answer may be" if answer.finish == "length" else "Answered"


def value_of(turn: Turn, text: str) -> Any:
    """Return the answer as its schema wants it; WrongArguments says why it does not fit."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise WrongArguments("The answer is not JSON.") from None
    return check_arguments(turn.definition.output_schema or {}, value)


def _feedback(turn: Turn, steps: Sequence[Step], answer: Answer) -> str:
    """Return what the model is told about a last answer that does not fit, empty when it does."""
    if answer.calls or not turn.definition.output_schema:
        return ""
    try:
        value_of(turn, answer.text)
    except WrongArguments as wrong:
        told = sum(1 for step in steps if step.output and step.output.get("feedback"))
        if told >= _MOST_FEEDBACK:
            return ""
        return f"{wrong.message} Answer again, with nothing but the JSON object."
    return ""


def finish(turn: Turn, step: Step) -> Over:
    """Return the end of a run whose model answered without asking for more."""
    text = str(((step.output or {}).get("message") or {}).get("content") or "")
    output: dict[str, Any] = {"text": text}
    if turn.definition.output_schema:
        try:
            output["value"] = value_of(turn, text)
        except WrongArguments as wrong:
            shown = wrong.message.removeprefix("The arguments do not fit: ")
            return Over(Run.State.FAILED, "output_does_not_fit", f"The result does not fit. {shown}", output)
    return Over(Run.State.SUCCEEDED, output=output)


def shortened(turn: Turn, steps: Sequence[Step]) -> bool:
    """Shorten a conversation that has grown too long, as a step of its own; return whether that was done."""
    if not steps or steps[-1].kind == Kind.COMPACTION:
        return False
    rule = compaction.rule_for(turn.run, turn.definition, steps, turn.room())
    if rule is None:
        return False
    with transaction.atomic():
        lease.change(turn.run, steps_done=F("steps_done") + 1, attempts=0)
        Step.objects.create(
            run=turn.run,
            number=steps[-1].number + 1,
            turn=steps[-1].turn,
            kind=Kind.COMPACTION,
            state=State.DONE,
            output=rule,
            note=f"Shortened from about {rule['before']:,} to {rule['after']:,} tokens",
            fence=turn.run.fence,
            ended_at=now(),
        )
    return True
