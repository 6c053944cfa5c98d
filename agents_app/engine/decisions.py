"""Apply what people decided about a step."""

import json
from enum import Enum

from agents_app.engine.approval_requests import Kind
from agents_app.engine.tool_records import note_refusal
from agents_app.engine.turns import Over, Turn
from agents_app.models import Approval, Run, Step

State = Approval.State


class Applied(Enum):
    WAITS = "waits"
    GO_ON = "go on"  # the step is to be decided about again, and made
    ENDED = "ended"  # the step has its result


def apply_decision(turn: Turn, step: Step, approval: Approval) -> Applied:
    """Apply the decision about a step. Raises Over where it ends the run."""
    if approval.state == State.WAITING:
        return Applied.WAITS
    decider = approval.decided_by_name or "Nobody"
    if approval.kind in {Kind.STEP, Kind.OUTCOME} and approval.state != State.APPROVED:
        if approval.state == State.EXPIRED:
            raise Over(Run.State.FAILED, "nobody_decided", "Nobody decided in time how this goes on.")
        raise Over(Run.State.CANCELLED, "stopped", f"{decider} stopped it here. {approval.message}".strip())
    step.decisions = [*step.decisions, _as_kept(approval, decider)]
    if approval.state == State.EXPIRED:
        return _end(turn, step, Step.State.DENIED, "Nobody decided in time.")
    if approval.state != State.APPROVED:
        verb = "declined to answer" if approval.kind == Kind.QUESTION else "refused this call"
        return _end(turn, step, Step.State.DENIED, f"A person {verb}. {approval.message}".strip())
    if approval.kind == Kind.QUESTION:
        return _answered(turn, step, approval, decider)
    if approval.kind == Kind.OUTCOME:
        answer = approval.answer or {}
        if answer.get("outcome") == "done":
            result = answer.get("result") or "It was done."
            return _end(turn, step, Step.State.DONE, f"[A person says what became of this call] {result}", decider)
        return _end(turn, step, Step.State.FAILED, "It did not happen. A person looked.")
    step.save(update_fields=["decisions"])
    return Applied.GO_ON


def _answered(turn: Turn, step: Step, approval: Approval, decider: str) -> Applied:
    answer = approval.answer or {}
    if turn.run.is_simulated:
        return _end(turn, step, Step.State.DONE, str(answer.get("result", "")), f"Simulated by {decider}")
    text = json.dumps(answer, ensure_ascii=False)
    if approval.message:
        text += f"\n{approval.message}"
    return _end(turn, step, Step.State.DONE, text, f"Answered by {decider}")


def _as_kept(approval: Approval, decider: str) -> dict[str, str]:
    effect = "allow" if approval.state == State.APPROVED else "deny"
    return {
        "effect": effect,
        "rule": "approval",
        "reason": f"{decider}: {approval.get_state_display()}. {approval.message}".strip(),
        "approval": str(approval.pk),
    }


def _end(turn: Turn, step: Step, state: str, words: str, note: str = "") -> Applied:
    is_done = state == Step.State.DONE
    turn.end_step(
        step,
        state,
        output={**(step.output or {}), "content": words} if is_done else step.output,
        trouble="" if is_done else words[:1000],
        is_error=not is_done,
        decisions=step.decisions,
        note=(note or words)[:200],
    )
    if state == Step.State.DENIED:
        note_refusal(turn.run, step, code="denied_approval", reason=words)
    return Applied.ENDED
