"""Record a call that does not go through the gateway: that of a tool, with its input and output."""

import datetime as dt
import json
import uuid
from typing import Any

from console.audit import sql
from console.audit.redaction import PreparedPayload, prepare_payload
from console.core.scrub import scrub


def record_call(
    identifier: uuid.UUID,
    *,
    at: dt.datetime,
    closed_at: dt.datetime,
    type: str,
    status: str,
    input: str,
    output: str | None,
    detail: dict[str, Any] | None = None,
    reason: str = "",
    **columns: Any,
) -> None:
    """Append the line of one call and its payloads, inside the transaction that records its outcome elsewhere.

    `columns` are columns of audit_event. Secrets are taken out of all of it before it is stored.
    """
    kept = {"input": prepare_payload(input)}
    if output is not None:
        kept["output"] = prepare_payload(output)
    sql.append(
        {
            "id": identifier,
            "at": at,
            "closed_at": closed_at,
            "type": type,
            "status": status,
            "latency_us": max(round((closed_at - at).total_seconds() * 1_000_000), 0),
            "reason": scrub(reason)[0][:500],
            "detail": scrub(json.dumps(detail, ensure_ascii=False, default=str))[0] if detail else "",
            **{f"{kind}_sha256": payload.stored_sha256 for kind, payload in kept.items()},
            **columns,
        }
    )
    sql.append_payloads([_row(identifier, kind, payload) for kind, payload in kept.items()])


def _row(identifier: uuid.UUID, kind: str, payload: PreparedPayload) -> tuple[Any, ...]:
    return (
        identifier,
        kind,
        payload.body,
        payload.bytes,
        payload.sha256,
        payload.is_cut,
        payload.redactions,
    )
