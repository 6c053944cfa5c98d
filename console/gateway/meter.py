"""What a call used, and the end record that says so."""

import json
import time
from typing import Any

import orjson

from console.audit.redaction import PreparedPayload, prepare_payload
from console.core.clock import now
from console.core.ids import request_id, uuid7
from console.core.scrub import scrub
from console.core.size import estimate_tokens
from console.gateway.entries import Close
from console.gateway.targets import PIN
from console.gateway.types import Call
from console.providers.types import Usage


def _micros(seconds: float) -> int:
    return max(0, round(seconds * 1_000_000))


def overhead_seconds(call: Call, moment: float) -> float:
    """Return the time since the request came in that the house itself took, up to `moment`."""
    if not call.sent:
        return moment - call.started
    return (call.sent - call.started) + (moment - call.answered if call.answered else 0.0)


def settle(call: Call, usage: Usage | None, output: str | None) -> tuple[Usage, str]:
    """Return what the call is charged with and a note on how sure that is.

    The provider's count wins, also a zero. Without one it is estimated from what was sent and what came back; a call
    that never reached a provider used nothing.
    """
    if usage is None:
        if not call.sent or call.is_unused:
            return Usage(0, 0), ""
        return Usage(call.plan.prompt_tokens, estimate_tokens(output) if output else 0), "estimated"
    reserved = next((c.amount for c in call.plan.charges if c.quota.metric == "tokens"), None)
    over = reserved is not None and usage.prompt + usage.completion > reserved
    return usage, "over_reservation" if over else ""


def end_record(
    call: Call,
    *,
    status: str,
    http_status: int | None,
    usage: Usage | None,
    output: str | None,
    code: str = "",
    reason: str = "",
) -> Close:
    """Return the end of a call for the ledger: the whole row, what to settle, and the output to keep."""
    plan, moment = call.plan, time.perf_counter()
    charged, note = settle(call, usage, output)
    if plan.price:
        call.cost_micros = plan.price.cost(charged.prompt, charged.cached, charged.completion, charged.reasoning)
    record: dict[str, Any] = {
        **plan.record,
        "closed_at": now(),
        "status": status,
        "http_status": http_status,
        "code": code,
        "reason": scrub(reason)[0].replace("\0", "")[:500],
        "attempts": call.attempts,
        "prompt_tokens": charged.prompt,
        "cached_tokens": charged.cached,
        "completion_tokens": charged.completion,
        "reasoning_tokens": charged.reasoning,
        "cost_micros": call.cost_micros,
        "usage_note": note,
        "latency_us": _micros(moment - call.started),
        "overhead_us": _micros(overhead_seconds(call, moment)),
    }
    notes: dict[str, Any] = dict(call.notes)
    if plan.route != PIN:
        notes["route"] = plan.route
    if call.fell_back_from:
        notes["fell_back_from"] = call.fell_back_from
    if call.passed_over:
        notes["passed_over"] = call.passed_over
    if notes:
        record["detail"] = json.dumps(notes)
    if call.first_token:
        record["first_token_us"] = _micros(call.first_token - call.started)
    kept: PreparedPayload | None = None
    if output is not None:
        kept = prepare_payload(output)
        record["output_sha256"] = kept.stored_sha256.hex()
    return Close(record, plan.charges, charged.prompt + charged.completion, call.cost_micros, kept, call.reservation)


def as_attempt(end: Close) -> Close:
    """Return the end of an attempt after which the call goes on at another version.

    It gets an id of its own, and names the request, whose id the call's last attempt keeps.
    """
    request = end.record["id"]
    detail = json.dumps({**json.loads(end.record.get("detail", "{}")), "attempt_of": request_id(request)})
    return end._replace(record={**end.record, "id": uuid7(), "detail": detail}, reservation=end.call)


def answer_text(answer: dict[str, Any], usage: Usage | None) -> str:
    """Return a streamed answer as the log keeps it: the same object a plain call would have got."""
    if usage is not None and "usage" not in answer:  # a message has its own
        answer = {
            **answer,
            "usage": {
                "prompt_tokens": usage.prompt,
                "completion_tokens": usage.completion,
                "total_tokens": usage.prompt + usage.completion,
            },
        }
    return orjson.dumps(answer).decode()
