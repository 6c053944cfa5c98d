"""Record tool calls in the audit log: one record per attempt, with input, output and decision."""

import datetime as dt
import json
import uuid

from agents_app.grants.digest import canonical
from agents_app.models import Run, Step
from console.audit.models import AuditEvent, EventType
from console.audit.services import record_call
from console.core.clock import now
from console.core.ids import time_of, uuid7
from console.core.lanes import Lane

# The codes of attempts of which nobody knows whether they took effect.
LOST, UNKNOWN = "worker_lost", "tool_unknown"


def may_have_happened(step: Step) -> bool:
    """Return whether an earlier attempt at this call may have taken effect, whatever came of the last."""
    if step.attempts < 2:
        return False
    lines = AuditEvent.objects.filter(at__gte=step.created_at, type=EventType.TOOL)
    unclear = lines.filter(client_request_id=step.run.public_id, code__in=[LOST, UNKNOWN])
    return any(json.loads(detail)["step"] == step.number for detail in unclear.values_list("detail", flat=True))


def version_name(run: Run) -> str:
    return f"{run.agent.slug}@{run.version.number}" if run.version else f"{run.agent.slug}@draft"


def note_call(
    run: Run,
    step: Step,
    *,
    status: str,
    output: str | None = None,
    code: str = "",
    reason: str = "",
    closed_at: dt.datetime | None = None,
    identifier: uuid.UUID | None = None,
) -> uuid.UUID:
    """Append the line of a step's present attempt, or one with an id of its own; return its id."""
    identifier = identifier or step.request_id or uuid7()
    began: dt.datetime = time_of(identifier)
    is_key = run.actor_kind == "key"
    record_call(
        identifier,
        at=began,
        closed_at=max(closed_at or now(), began),
        type=EventType.TOOL,
        status=status,
        input=canonical(step.arguments),
        output=output,
        code=code[:60],
        reason=reason,
        team_id=run.team_id,
        team=run.team.name,
        actor_kind=run.actor_kind,
        actor_id=run.actor_id,
        actor=run.actor_name,
        key_id=run.actor_id if is_key else None,
        environment=run.environment,
        lane=Lane.STANDARD,
        surface="agent",
        agent=version_name(run),
        client_address=run.client_address,
        client_request_id=run.public_id,
        end_user=run.end_user,
        metadata=json.dumps(run.metadata, ensure_ascii=False) if run.metadata else None,
        attempts=step.attempts,
        target_type="tool",
        target_id=str(step.tool_id or ""),
        target=step.tool_name,
        detail={"run": run.public_id, "step": step.number, "decisions": step.decisions},
    )
    return identifier


def note_refusal(run: Run, step: Step, *, code: str, reason: str) -> None:
    """Append a line of its own for a call that is not made: earlier attempts at it may have theirs."""
    note_call(run, step, status="refused", code=code, reason=reason, identifier=uuid7())
