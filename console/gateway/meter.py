"""Usage and cost of a call, and its end record."""

import json
import time
from typing import Any

import orjson

from console.audit.models import TOKEN_KINDS
from console.audit.redaction import PreparedPayload, prepare_payload
from console.core.clock import now
from console.core.ids import request_id, uuid7
from console.core.scrub import scrub
from console.core.size import estimate_tokens
from console.gateway.entries import Close
from console.gateway.record import joined, links_of
from console.gateway.targets import PIN
from console.gateway.types import Call, Outcome
from console.providers.types import Usage


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000) if seconds > 0 else 0


def overhead_seconds(call: Call, moment: float) -> float:
    """Return how many seconds Facet itself has taken since the request arrived, up to `moment`."""
    if not call.sent_at:
        return moment - call.started
    return (call.sent_at - call.started) + (moment - call.answered if call.answered else 0.0)


def settle(call: Call, usage: Usage | None, output: str | None) -> tuple[Usage, str]:
    """Return what the call is charged and a note on how reliable that is.

    The provider's count wins, even a zero. Without one it is estimated from what was sent and received; a call that
    never reached a provider used nothing. An estimate the client was told is what it is charged.
    """
    if usage is None:
        if not call.sent_at or call.is_unused:
            return Usage(0, 0), ""
        return call.estimate or estimated(call, output), "estimated"
    return usage, ""


def _is_over_reservation(call: Call, tokens: int, cost_micros: int) -> bool:
    """Return whether a limit of tokens or money had reserved less than was used, as a long input may need."""
    for limit, reserved in call.plan.charges:
        if limit.metric == "tokens":
            if tokens > reserved:
                return True
        elif limit.metric == "cost" and cost_micros > reserved:
            return True
    return False


def estimated(call: Call, output: str | None) -> Usage:
    if output and call.plan.ask.operation == "response":  # it repeats the request, which costs no output
        output = orjson.dumps(orjson.loads(output)["output"]).decode()
    return Usage(call.plan.prompt_tokens, estimate_tokens(output) if output else 0)


def end_record(call: Call, outcome: Outcome, falls_back: bool) -> Close:
    """Return the end of a call for the ledger: the whole row, what to settle, and the output to keep.

    With `falls_back` it is the end of an attempt after which another version is tried: it gets an id of its own and
    names the request, whose id the call's last attempt keeps.
    """
    plan, moment = call.plan, time.perf_counter()
    status, http_status, code, reason, usage, output = outcome
    charged, note = settle(call, usage, output)
    call.used = charged
    if plan.price:
        call.cost_micros = plan.price.cost(*charged)
    if not note and _is_over_reservation(call, charged.prompt + charged.completion, call.cost_micros):
        note = "over_reservation"
    end: dict[str, Any] = {
        "closed_at": now(),
        "status": status,
        "http_status": http_status,
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
    if any(kinds := charged[4:]):
        counts = {kind: count for kind, count in zip(TOKEN_KINDS, kinds, strict=True) if count}
        end["token_kinds"] = orjson.dumps(counts).decode()
    if code:
        end["code"] = code
    if reason:
        end["reason"] = scrub(reason)[0].replace("\0", "")[:500]
    if call.first_token:
        end["first_token_us"] = _micros(call.first_token - call.started)
    notes, id, reservation = _notes(call), plan.ask.id, call.reservation or plan.ask.id
    if falls_back:
        id, notes = uuid7(), {**notes, "attempt_of": request_id(id)}
    if id is not reservation:
        end["id"] = id
    if notes:
        end["detail"] = json.dumps(notes)
    payload: PreparedPayload | None = None
    if output is not None:
        payload = prepare_payload(output)
        end["output_sha256"] = payload.stored_sha256.hex()
    tokens = charged.prompt + charged.completion
    return Close(
        reservation, joined(plan.record, orjson.dumps(end)), plan.charges, tokens, call.cost_micros, payload, id
    )


def _notes(call: Call) -> dict[str, Any]:
    """Return what else the log keeps of a call: its `detail`."""
    notes: dict[str, Any] = dict(call.notes)
    if call.plan.ask.response_id is not None or call.plan.ask.trace_parent:
        notes |= links_of(call.plan.ask)
    if call.plan.route != PIN:
        notes["route"] = call.plan.route
    if call.fell_back_from:
        notes["fell_back_from"] = call.fell_back_from
    if call.plan.dropped:
        notes["dropped_fields"] = call.plan.dropped
    if call.plan.ask.knowledge is not None:
        notes["knowledge"] = call.plan.ask.knowledge.record
    if call.passed_over:
        notes["passed_over"] = call.passed_over
    return notes


def usage_shape(usage: Usage) -> dict[str, int]:
    """Return a usage in the format of chat and text completions."""
    total = usage.prompt + usage.completion
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": total}


def answer_text(answer: dict[str, Any], usage: Usage | None) -> str:
    """Return a streamed answer as the log keeps it: the object a call without streaming would have got."""
    if usage is not None and "usage" not in answer:  # a message has one
        answer = {**answer, "usage": usage_shape(usage)}
    return orjson.dumps(answer).decode()
