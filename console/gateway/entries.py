"""What the ledger writes, and the parameters of its two statements made of many of them."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from console.audit.redaction import PreparedPayload
from console.gateway import arrays
from console.gateway.types import Charge

Counter = tuple[int, dt.datetime]


class Begin(NamedTuple):
    """One call to admit, or one refusal to record (`is_refusal`, no charges)."""

    epoch: int
    record: dict[str, Any]
    charges: tuple[Charge, ...] = ()
    is_refusal: bool = False
    input: PreparedPayload | None = None
    # For each charge, the members its refusal adds to the record, as JSON.
    refusals: tuple[str, ...] = ()


class Verdict(NamedTuple):
    """`is_stale`, or admitted when `refused_by` is None; `counted` is used + reserved per counter after the batch."""

    is_stale: bool
    refused_by: int | None
    counted: dict[Counter, int]


class Close(NamedTuple):
    """The end of one call: its whole audit row, what it was admitted with, what to settle."""

    record: dict[str, Any]
    charges: tuple[Charge, ...]
    tokens: int
    cost_micros: int
    output: PreparedPayload | None = None
    # The id of the reservation to settle, where the record has another: an attempt's, while its request goes on.
    reservation: uuid.UUID | None = None

    @property
    def call(self) -> uuid.UUID:
        return self.reservation or self.record["id"]


BEGIN = (
    "SELECT * FROM gateway_begin($1::bigint[], $2::uuid[], $3::uuid[], $4::boolean[], $5::text[], $6::integer[],"
    " $7::integer[], $8::text[], $9::integer[], $10::bytea[], $11::boolean[], $12::integer[], $13::text, $14::integer,"
    " $15::bigint[], $16::timestamptz[], $17::text[], $18::bigint[], $19::bigint[], $20::text[],"
    " $21::bigint[], $22::timestamptz[], $23::bigint[], $24::bigint[])"
)
CLOSE = (
    "SELECT gateway_close($1::jsonb, $2::uuid[], $3::text[], $4::integer[], $5::bytea[], $6::boolean[], $7::integer[],"
    " $8::bigint[], $9::timestamptz[], $10::bigint[], $11::bigint[])"
)
_JSONB = b"\x01"


def _payloads(payloads: "Sequence[PreparedPayload | None]") -> list[bytes]:
    return [
        arrays.texts([p.body if p else None for p in payloads]),
        arrays.integers([p.bytes if p else None for p in payloads]),
        arrays.byteas([p.sha256 if p else None for p in payloads]),
        arrays.booleans([p.is_cut if p else None for p in payloads]),
        arrays.integers([p.redactions if p else None for p in payloads]),
    ]


def _counters(charges: Iterable[Charge]) -> list[tuple[Counter, int, int | None]]:
    """Return each counter concerned once, in the order they are locked in, with its whole amount and least limit."""
    found: dict[Counter, tuple[int, int | None]] = {}
    for charge in charges:
        key = (charge.quota.id, charge.period_start)
        limit = charge.limit if charge.quota.is_hard else None
        if key in found:
            amount, least = found[key]
            if limit is not None and least is not None:
                limit = min(limit, least)
            found[key] = amount + charge.amount, limit if limit is not None else least
        else:
            found[key] = charge.amount, limit
    return [(key, *found[key]) for key in sorted(found)]


def begin_parameters(items: list[Begin], process: bytes, lease: int) -> tuple[list[bytes], list[int], list[Counter]]:
    """Return the parameters of BEGIN, each call's first charge, and the counters in the order they are counted."""
    first, place = [], 1
    for item in items:
        first.append(place)
        place += len(item.charges)
    charges = items[0].charges if len(items) == 1 else [c for item in items for c in item.charges]
    counters = _counters(charges)
    parameters = [
        arrays.bigints([item.epoch for item in items]),
        arrays.uuids([item.record["id"] for item in items]),
        arrays.uuids([item.record.get("team_id") for item in items]),
        arrays.booleans([item.is_refusal for item in items]),
        arrays.texts([orjson.dumps(item.record) for item in items]),
        arrays.integers(first),
        arrays.integers([len(item.charges) for item in items]),
        *_payloads([item.input for item in items]),
        process,
        lease.to_bytes(4, "big"),
        arrays.bigints([c.quota.id for c in charges]),
        arrays.moments([c.period_start for c in charges]),
        arrays.texts([c.quota.metric for c in charges]),
        arrays.bigints([c.amount for c in charges]),
        arrays.bigints([c.limit if c.quota.is_hard else None for c in charges]),
        arrays.texts([r for item in items for r in item.refusals]),
        arrays.bigints([key[0] for key, _, _ in counters]),
        arrays.moments([key[1] for key, _, _ in counters]),
        arrays.bigints([amount for _, amount, _ in counters]),
        arrays.bigints([limit for _, _, limit in counters]),
    ]
    return parameters, first, [key for key, _, _ in counters]


def verdicts_of(row: list[bytes | None], first: list[int], counters: list[Counter]) -> list[Verdict]:
    numbers = arrays.read_integers(row[0])
    counted = dict(zip(counters, arrays.read_integers(row[1]), strict=False))
    return [
        Verdict(is_stale=number == -1, refused_by=number - first[i] if number > 0 else None, counted=counted)
        for i, number in enumerate(numbers)
    ]


def _spent(charge: Charge, item: Close) -> int:
    metric = charge.quota.metric
    if metric == "requests":
        return 1
    return item.tokens if metric == "tokens" else item.cost_micros if metric == "cost" else 0


def close_parameters(items: list[Close]) -> list[bytes]:
    settled: dict[Counter, tuple[int, int]] = {}
    for item in items:
        for charge in item.charges:
            key = (charge.quota.id, charge.period_start)
            freed, spent = settled.get(key, (0, 0))
            settled[key] = freed + charge.amount, spent + _spent(charge, item)
    counters = sorted(settled)
    return [
        _JSONB + orjson.dumps([item.record for item in items]),
        arrays.uuids([item.call for item in items]),
        *_payloads([item.output for item in items]),
        arrays.bigints([key[0] for key in counters]),
        arrays.moments([key[1] for key in counters]),
        arrays.bigints([settled[key][0] for key in counters]),
        arrays.bigints([settled[key][1] for key in counters]),
    ]
