"""What the ledger writes, and the parameters of its two statements made of many of them."""

import datetime as dt
import uuid
from collections.abc import Iterable
from itertools import accumulate, chain
from typing import NamedTuple

from console.audit.redaction import PreparedPayload
from console.gateway import arrays
from console.gateway.types import Charge, Counter, Limit


class Begin(NamedTuple):
    """One call to admit, or one refusal to record (`is_refusal`, no charges)."""

    epoch: int
    id: uuid.UUID
    at: dt.datetime
    record: bytes  # its line in the log as far as it is known, as JSON: record.py
    team_id: uuid.UUID | None = None
    key_id: uuid.UUID | None = None
    charges: tuple[Charge, ...] = ()
    is_refusal: bool = False
    input: PreparedPayload | None = None


class Verdict(NamedTuple):
    """`is_stale`, or admitted when `refused_by` is None; `counted` is used + reserved per counter after the batch."""

    is_stale: bool
    refused_by: int | None
    counted: dict[Counter, int]


class Close(NamedTuple):
    """The end of one call: the reservation to settle, its whole line in the log, and what it was admitted with."""

    reservation: uuid.UUID
    record: bytes
    charges: tuple[Charge, ...]
    tokens: int
    cost_micros: int
    output: PreparedPayload | None = None
    id: uuid.UUID | None = None  # the line's, where it is not the reservation's


BEGIN = (
    "SELECT * FROM gateway_begin($1::bigint[], $2::uuid[], $3::uuid[], $4::boolean[], $5::text[], $6::integer[],"
    " $7::integer[], $8::text[], $9::integer[], $10::bytea[], $11::boolean[], $12::integer[], $13::text, $14::integer,"
    " $15::bigint[], $16::timestamptz[], $17::text[], $18::bigint[], $19::bigint[], $20::text[],"
    " $21::bigint[], $22::timestamptz[], $23::bigint[], $24::bigint[])"
)
# Commits without waiting for the disk, for which its connection waits afterwards: statement.py.
CLOSE = (
    "SELECT gateway_close($1::json, $2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::bytea[], $7::boolean[],"
    " $8::integer[], $9::bigint[], $10::timestamptz[], $11::bigint[], $12::bigint[]),"
    " set_config('synchronous_commit', 'off', true)"
)
_NOTHING_CHARGED: tuple[tuple[Limit, ...], tuple[int, ...]] = ((), ())
_NO_COLUMNS: tuple[tuple[bytes, ...], ...] = ((),) * 5
_NO_PAYLOAD = (arrays.NULL,) * 5
_PAYLOAD_KINDS = (arrays.TEXT, arrays.INT4, arrays.BYTEA, arrays.BOOL, arrays.INT4)


def _payload_columns(payload: PreparedPayload | None) -> tuple[bytes, ...]:
    if payload is None:
        return _NO_PAYLOAD
    raw, size, sha256, is_cut, redactions, _ = payload
    return (
        arrays.octets(raw),
        arrays.integer(size),
        arrays.octets(sha256),
        arrays.TRUTHS[is_cut],
        arrays.integer(redactions),
    )


def _payloads(payloads: Iterable[PreparedPayload | None]) -> list[bytes]:
    columns = zip(*map(_payload_columns, payloads), strict=True)
    return [arrays.array(kind, column) for kind, column in zip(_PAYLOAD_KINDS, columns, strict=True)]


def limit_columns(counter: Counter, metric: str, most: int | None, refusal: bytes) -> tuple[bytes, ...]:
    """Return what every charge of a limit puts into the parameters of BEGIN; `most` is None for a soft quota's."""
    quota, period = counter
    return (
        arrays.bigint(quota),
        arrays.moment(period),
        arrays.octets(metric.encode()),
        arrays.bigint(most),
        arrays.octets(refusal),
    )


def with_refusal(columns: tuple[bytes, ...], refusal: bytes) -> tuple[bytes, ...]:
    """Return the columns of a limit with another refusal."""
    return (*columns[:-1], arrays.octets(refusal))


def _counters(charges: Iterable[Charge]) -> list[tuple[Counter, int, int | None]]:
    """Return each counter concerned once, in the order they are locked in, with its whole amount and least limit."""
    found: dict[Counter, tuple[int, int | None]] = {}
    for limit, amount in charges:
        counter = limit.counter
        most = limit.most if limit.quota.is_hard else None
        if counter in found:
            amount_before, least = found[counter]
            if most is not None and least is not None:
                most = min(most, least)
            found[counter] = amount_before + amount, most if most is not None else least
        else:
            found[counter] = amount, most
    return [(counter, *found[counter]) for counter in sorted(found)]


def begin_parameters(items: list[Begin], process: bytes, lease: int) -> tuple[list[bytes], list[int], list[Counter]]:
    """Return the parameters of BEGIN, each call's first charge, and the counters in the order they are counted."""
    epochs, ids, _, records, teams, _, charged, are_refusals, inputs = zip(*items, strict=True)
    counts = list(map(len, charged))
    first = list(accumulate(counts, initial=1))[:-1]
    charges = list(chain.from_iterable(charged))
    counters = _counters(charges)
    limits, amounts = zip(*charges, strict=True) if charges else _NOTHING_CHARGED
    columns = zip(*[limit.columns for limit in limits], strict=True) if charges else _NO_COLUMNS
    quotas, periods, metrics, mosts, refusals = columns
    parameters = [
        arrays.bigints(epochs),
        arrays.uuids(ids),
        arrays.uuids(teams),
        arrays.booleans(are_refusals),
        arrays.texts(records),
        arrays.integers(first),
        arrays.integers(counts),
        *_payloads(inputs),
        process,
        lease.to_bytes(4, "big"),
        arrays.array(arrays.INT8, quotas),
        arrays.array(arrays.TIMESTAMPTZ, periods),
        arrays.array(arrays.TEXT, metrics),
        arrays.bigints(amounts),
        arrays.array(arrays.INT8, mosts),
        arrays.array(arrays.TEXT, refusals),
        arrays.bigints([quota for (quota, _), _, _ in counters]),
        arrays.moments([period for (_, period), _, _ in counters]),
        arrays.bigints([amount for _, amount, _ in counters]),
        arrays.bigints([most for _, _, most in counters]),
    ]
    return parameters, first, [counter for counter, _, _ in counters]


def verdicts_of(row: list[bytes | None], first: list[int], counters: list[Counter]) -> list[Verdict]:
    numbers = arrays.read_integers(row[0])
    counted = dict(zip(counters, arrays.read_integers(row[1]), strict=False))
    return [
        Verdict(number == -1, number - place if number > 0 else None, counted)
        for number, place in zip(numbers, first, strict=True)
    ]


def _spent(metric: str, item: Close) -> int:
    if metric == "requests":
        return 1
    return item.tokens if metric == "tokens" else item.cost_micros if metric == "cost" else 0


def close_parameters(items: list[Close]) -> list[bytes]:
    settled: dict[Counter, tuple[int, int]] = {}
    for item in items:
        for limit, amount in item.charges:
            freed, spent = settled.get(limit.counter, (0, 0))
            settled[limit.counter] = freed + amount, spent + _spent(limit.metric, item)
    counters = sorted(settled)
    return [
        b"[%b]" % b",".join([item.record for item in items]),
        arrays.uuids([item.reservation for item in items]),
        arrays.uuids([item.id or item.reservation for item in items]),
        *_payloads([item.output for item in items]),
        arrays.bigints([quota for quota, _ in counters]),
        arrays.moments([period for _, period in counters]),
        arrays.bigints([settled[counter][0] for counter in counters]),
        arrays.bigints([settled[counter][1] for counter in counters]),
    ]
