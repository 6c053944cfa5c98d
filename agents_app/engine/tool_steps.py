"""The tool steps of a turn, all at once: decide, ask for approval, call, store.

1. A planned call is decided about; one for which the run's limits leave no room beside the others comes after them.
   Denied, the model is told; to be asked about, a person is, and the step waits.
2. What people have said in the meantime is heard; before its call every step is decided about once more.
3. Intents are committed, the calls are made side by side, and each outcome is stored as it comes.
4. An intent without an outcome, of a worker who is gone, is made again if that is harmless; otherwise a person says
   what became of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from agents_app.engine import lease, limits
from agents_app.engine.approval_requests import Kind, approvals_of, ask, ask_for_result, expire
from agents_app.engine.decisions import Applied, apply_decision
from agents_app.engine.execution import MOST_ATTEMPTS, make_calls
from agents_app.engine.tool_calls import may_repeat
from agents_app.engine.tool_records import LOST, note_call, note_refusal
from agents_app.engine.turns import Turn
from agents_app.grants.decision import Decision, decide
from agents_app.grants.digest import digest_of, mark_of
from agents_app.grants.parsing import ALLOW, ASK, DENY
from agents_app.models import Approval, Run, Step, Tool
from agents_app.queries.run_state import is_begun
from console.core.clock import now
from console.core.formatting import tally

State = Step.State


def take_further(turn: Turn, steps: Sequence[Step]) -> bool | None:
    """Take the unfinished calls further. Returns None to continue, else whether the run can continue at once."""
    run = turn.run
    mine = [step for step in steps if step.state not in Step.OVER]
    ready: list[Step] = []
    with transaction.atomic():
        lease.change(run)
        approvals = approvals_of([step for step in mine if step.decisions or step.state != State.PLANNED])
        for step in mine:
            _advance_step(turn, steps, step, approvals.get(step.pk, []), ready)
    if not ready:
        return _wait(turn)
    if pause := make_calls(turn, ready):
        lease.put_down(run, wake_at=now() + timedelta(seconds=pause), attempts=0)
        return False
    return None


def _advance_step(turn: Turn, steps: Sequence[Step], step: Step, approvals: list[Approval], ready: list[Step]) -> None:
    """Take one step as far as it gets without a call; those that may be called become `ready`."""
    if step.kind != Step.Kind.TOOL:
        if approvals and apply_decision(turn, step, approvals[-1]) == Applied.GO_ON:
            step.state = State.PLANNED
            step.save(update_fields=["state"])
        return
    if step.state == State.INTENDED:
        _recover(turn, step)
    elif step.state in {State.WAITING, State.UNKNOWN}:
        if until := _until(step):
            if until <= now():
                turn.end_step(step, State.DONE, output={**(step.output or {}), "content": "The wait is over."})
            return
        expire(approvals[-1])
        if apply_decision(turn, step, approvals[-1]) != Applied.GO_ON:
            return
        step.state = State.PLANNED
        step.save(update_fields=["state"])
    tool = turn.tools.get(step.tool_name)
    begun = [(earlier, turn.tools[earlier.tool_name]) for earlier in ready]
    if step.state == State.PLANNED and (tool is None or limits.has_room_beside(turn.run, step, tool, begun)):
        _decide(turn, steps, step, approvals, ready)


def _until(step: Step) -> datetime | None:
    """Return the time a step waits for, None when it waits for a person."""
    until = (step.output or {}).get("until")
    return datetime.fromisoformat(until) if until else None


def _decide(turn: Turn, steps: Sequence[Step], step: Step, approvals: list[Approval], ready: list[Step]) -> None:
    run = turn.run
    if not step.decisions:
        earlier = [one for one in steps if one.kind == Step.Kind.TOOL and one.number < step.number]
        limits.check_repeats(run, step, earlier)
    grant, tool = turn.grants.get(step.tool_name), turn.tools.get(step.tool_name)
    decision = decide(
        name=step.tool_name,
        grant=grant,
        tool=tool,
        arguments=step.arguments,
        calls_before=sum(is_begun(one) and one.tool_name == step.tool_name for one in steps)
        + sum(one.tool_name == step.tool_name for one in ready),
    )
    mark = {"tool": mark_of(tool)} if tool else {}
    is_other = mark.get("tool") != _mark_asked_about(step, mark)
    step.decisions = [*step.decisions, decision.as_kept() | mark]
    approved = [one for one in approvals if one.state == Approval.State.APPROVED]
    if decision.effect == DENY:
        _deny(turn, step, decision)
    elif run.is_step_by_step and not any(one.kind == Kind.STEP for one in approved):
        ask(run, step, Kind.STEP, decision=decision, reason=_why(steps, step))
    elif run.is_simulated:
        ask_for_result(run, step, _why(steps, step))
    elif decision.effect == ASK and (is_other or not _is_approved(run, step, approved)):
        ask(run, step, Kind.CALL, decision=decision, grant=grant, reason=_why(steps, step))
    else:
        assert decision.effect in {ALLOW, ASK}
        ready.append(step)
    step.save(update_fields=["state", "decisions"])


def _mark_asked_about(step: Step, present: dict[str, str]) -> str | None:
    """Return what the tool was when the step was last decided about; what it is now, when nothing is recorded."""
    marks = [decision["tool"] for decision in step.decisions if "tool" in decision]
    return marks[-1] if marks else present.get("tool")


def _is_approved(run: Run, step: Step, approved: Sequence[Approval]) -> bool:
    """Return whether a person said yes to exactly this call."""
    wanted = digest_of(run, step, step.arguments or {})
    return any(one.kind == Kind.CALL and one.sha256 == wanted for one in approved)


def _why(steps: Sequence[Step], step: Step) -> str:
    """Return what the model said when it asked for this call."""
    for one in reversed(steps):
        if one.kind == Step.Kind.MODEL and one.turn == step.turn and one.output:
            return str(one.output["message"].get("content") or "")[:4000]
    return ""


def _deny(turn: Turn, step: Step, decision: Decision) -> None:
    """End a call that may not be made; the model reads why."""
    turn.end_step(step, State.DENIED, trouble=decision.reason[:1000], is_error=True, decisions=step.decisions)
    note_refusal(turn.run, step, code=f"denied_{decision.rule.partition('.')[0]}", reason=step.trouble)


def _recover(turn: Turn, step: Step) -> None:
    """See to a call that was begun by a worker who is gone."""
    note_call(turn.run, step, status="interrupted", code=LOST, reason="The worker stopped during the call.")
    tool = turn.tools.get(step.tool_name)
    if may_repeat(tool) and step.attempts < MOST_ATTEMPTS:
        step.state = State.PLANNED  # the same idempotency key goes along
        step.save(update_fields=["state"])
        return
    if tool is not None and tool.effect == Tool.Effect.READ:
        turn.end_step(step, State.FAILED, trouble="The worker stopped during each attempt.", is_error=True)
        return
    _unknown(turn, step, "The worker stopped during the call, so what came of it is not known.")


def _unknown(turn: Turn, step: Step, trouble: str) -> None:
    """Have a person say what became of a call: it may have happened, and making it again could do it twice."""
    lease.change(turn.run, attempts=0)
    step.state, step.trouble = State.UNKNOWN, trouble[:1000]
    step.save(update_fields=["state", "trouble"])
    ask(turn.run, step, Kind.OUTCOME, reason=trouble)


def _wait(turn: Turn) -> bool | None:
    """Put the run down until a person decides or a time comes; None when something was decided meanwhile."""
    run = turn.run
    with transaction.atomic():
        turn.look()  # holds the row: who cancels from here on finds a run that waits
        waiting = list(Step.objects.filter(run=run).exclude(state__in=Step.OVER))
        approvals = Approval.objects.filter(step__in=[step.pk for step in waiting])
        latest = {approval.step_id: approval for approval in approvals.order_by("created_at", "id")}
        moments: list[datetime] = []
        for step in waiting:
            if step.state in {State.PLANNED, State.INTENDED}:
                return None
            until, about = _until(step), latest.get(step.pk)
            if until is not None:
                moments.append(until)
            elif about is not None and about.state == Approval.State.WAITING:
                moments.append(about.expires_at)
            else:
                return None
        if not waiting:
            return None
        lease.put_down(
            run,
            state=Run.State.WAITING,
            waits_for=tally(step.tool_name or "the next step" for step in waiting)[:200],
            wake_at=min(moments),
            waiting_since=run.waiting_since or now(),
            attempts=0,
        )
    return False
