"""Ask people to approve a call: the exact call, the reason, the rule, and the deadline."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from agents_app.grants.decision import Decision
from agents_app.grants.digest import digest_of
from agents_app.grants.parsing import Grant
from agents_app.models import Approval, Run, Step
from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.core.tasks import enqueue_on_commit
from console.teams.actors import SYSTEM

Kind = Approval.Kind
_SIMULATED = {
    "type": "object",
    "properties": {"result": {"type": "string", "title": "What the tool would answer", "maxLength": 20_000}},
    "required": ["result"],
}


def approvals_of(steps: Sequence[Step]) -> dict[Any, list[Approval]]:
    """Return what was asked about each step, oldest first."""
    found: dict[Any, list[Approval]] = {}
    rows: QuerySet[Approval] = Approval.objects.filter(step__in=[step.pk for step in steps])
    for approval in rows.order_by("created_at", "id"):
        found.setdefault(approval.step_id, []).append(approval)
    return found


def ask(
    run: Run,
    step: Step,
    kind: str,
    *,
    decision: Decision | None = None,
    grant: Grant | None = None,
    form: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Approval:
    """Open an approval about a step, which then waits. Called in the transaction that writes the step."""
    moment, seconds = now(), run.limits.get("approval_seconds", 3600)
    escalates = run.limits.get("escalate_seconds")
    if step.state != Step.State.UNKNOWN:
        step.state = Step.State.WAITING
    approval = Approval.objects.create(
        team=run.agent.team,
        run=run,
        step=step,
        kind=kind,
        tool_name=step.tool_name,
        arguments=step.arguments or {},
        sha256=digest_of(run, step, step.arguments or {}),
        editable=list(grant.editable) if grant and kind == Kind.CALL else [],
        is_for_others=bool(grant and grant.others_approve and kind == Kind.CALL),
        rule=decision.rule[:120] if decision else "",
        reason=reason,
        form=dict(form) if form is not None else None,
        cost_micros=run.cost_micros,
        expires_at=moment + dt.timedelta(seconds=seconds),
        escalate_at=moment + dt.timedelta(seconds=escalates) if escalates and escalates < seconds else None,
        created_at=moment,
    )
    record(
        actions.APPROVAL_ASKED,
        actor=SYSTEM,
        target=approval,
        target_name=f"{run.public_id} step {step.number}",
        team=run.agent.team,
        detail={"kind": kind, "tool": step.tool_name, "sha256": approval.sha256, "rule": approval.rule},
        surface="agent",
    )
    enqueue_on_commit("agents.tell_of_approval", approval.pk)
    return approval


def ask_for_result(run: Run, step: Step, reason: str) -> Approval:
    """Ask what a tool would answer, in a run that only tries out."""
    return ask(run, step, Kind.QUESTION, form=_SIMULATED, reason=reason)


def expire(approval: Approval) -> bool:
    """End an approval whose time is over; return whether it was ended just now."""
    if approval.state != Approval.State.WAITING or approval.expires_at > now():
        return False
    moment = now()
    waiting = Approval.objects.filter(pk=approval.pk, state=Approval.State.WAITING, expires_at__lte=moment)
    if not waiting.update(state=Approval.State.EXPIRED, decided_at=moment):
        return False
    approval.state = Approval.State.EXPIRED
    record(
        actions.APPROVAL_EXPIRED,
        actor=SYSTEM,
        target=approval,
        target_name=f"{approval.run.public_id} step {approval.step.number}",
        team=approval.run.agent.team,
        surface="agent",
    )
    return True
