"""What the ledger writes, and the parameters of its two statements made of many of them."""

import datetime as dt
import uuid
from collections.abc import Iterable
from itertools import accumulate, chain
from typing import NamedTuple

from console.audit.redaction import PreparedPayload
from console.gateway import arrays
from console.gateway.types import Charge, Counter, Limit, LimitColumns


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
CLOSE = (
    "CALL gateway_end($1::json, $2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::bytea[], $7::boolean[],"
    " $8::integer[], $9::bigint[], $10::timestamptz[], $11::bigint[], $12::bigint[], NULL)"
)
_NOTHING_CHARGED: tuple[tuple[Limit, ...], tuple[int, ...]] = ((), ())
_NO_COLUMNS: tuple[tuple[bytes, ...], ...] = ((),) * 5
_NO_PAYLOAD = PreparedPayload(None, None, None, None, None, None)  # type: ignore[arg-type]


def _payloads(payloads: Iterable[PreparedPayload | None]) -> list[bytes]:
    raws, sizes, digests, cuts, redactions, _ = zip(*[p or _NO_PAYLOAD for p in payloads], strict=True)
    return [
        arrays.texts(raws),
        arrays.integers(sizes),
        arrays.byteas(digests),
        arrays.usual(arrays.booleans, cuts),
        arrays.usual(arrays.integers, redactions),
    ]


def limit_columns(counter: Counter, metric: str, most: int | None, refusal: bytes) -> LimitColumns:
    """Return what every charge of a limit puts into the parameters of BEGIN; `most` is None for a soft quota's."""
    quota, period = counter
    return LimitColumns(
        quota=arrays.bigint(quota),
        period=arrays.moment(period),
        metric=arrays.octets(metric.encode()),
        most=arrays.bigint(most),
        refusal=arrays.octets(refusal),
    )


def with_refusal(columns: LimitColumns, refusal: bytes) -> LimitColumns:
    """Return the columns of a limit with another refusal."""
    return columns._replace(refusal=arrays.octets(refusal))


def _counters(charges: Iterable[Charge]) -> list[tuple[Limit, int]]:
    """Return each counter concerned once, in the order they are locked in, as its least limit and whole amount."""
    found: dict[Counter, tuple[Limit, int]] = {}
    for limit, amount in charges:
        known = found.get(limit.counter)
        if known is None:
            found[limit.counter] = limit, amount
        else:
            other, amount_before = known
            is_less = limit.quota.is_hard and (not other.quota.is_hard or limit.most < other.most)
            found[limit.counter] = limit if is_less else other, amount_before + amount
    return [found[counter] for counter in sorted(found)]


def _keys(limits: Iterable[Limit]) -> list[bytes]:
    """Return the two arrays that name the counters of limits."""
    columns = [limit.columns for limit in limits]
    return [
        arrays.array(arrays.INT8, [c.quota for c in columns]),
        arrays.array(arrays.TIMESTAMPTZ, [c.period for c in columns]),
    ]


def begin_parameters(
    items: list[Begin], process: bytes, lease: int
) -> tuple[list[bytes], tuple[int, ...], list[Counter]]:
    """Return the parameters of BEGIN, each call's first charge, and the counters in the order they are counted."""
    epochs, ids, _, records, teams, _, charged, are_refusals, inputs = zip(*items, strict=True)
    counts = tuple(map(len, charged))
    first = tuple(accumulate(counts[:-1], initial=1))
    charges = list(chain.from_iterable(charged))
    counters = _counters(charges)
    bounds = [bound for bound, _ in counters]
    limits, amounts = zip(*charges, strict=True) if charges else _NOTHING_CHARGED
    columns = zip(*[limit.columns for limit in limits], strict=True) if charges else _NO_COLUMNS
    quotas, periods, metrics, mosts, refusals = columns
    parameters = [
        arrays.usual(arrays.bigints, epochs),
        arrays.uuids(ids),
        arrays.uuids(teams),
        arrays.usual(arrays.booleans, are_refusals),
        arrays.texts(records),
        arrays.usual(arrays.integers, first),
        arrays.usual(arrays.integers, counts),
        *_payloads(inputs),
        process,
        lease.to_bytes(4, "big"),
        arrays.array(arrays.INT8, quotas),
        arrays.array(arrays.TIMESTAMPTZ, periods),
        arrays.array(arrays.TEXT, metrics),
        arrays.bigints(amounts),
        arrays.array(arrays.INT8, mosts),
        arrays.array(arrays.TEXT, refusals),
        *_keys(bounds),
        arrays.bigints([amount for _, amount in counters]),
        arrays.array(arrays.INT8, [bound.columns.most for bound in bounds]),
    ]
    return parameters, first, [bound.counter for bound in bounds]


def verdicts_of(row: list[bytes | None], first: tuple[int, ...], counters: list[Counter]) -> list[Verdict]:
    numbers = arrays.read_integers(row[0])
    counted = dict(zip(counters, arrays.read_integers(row[1]), strict=False))
    return [
        Verdict(number == -1, number - place if number > 0 else None, counted)
        for number, place in zip(numbers, first, strict=True)
    ]


def close_parameters(items: list[Close]) -> list[bytes]:
    ids = [item.reservation for item in items]
    events = [item.id or item.reservation for item in items]
    settled: dict[Counter, tuple[Limit, int, int]] = {}
    for item in items:
        spent = {"requests": 1, "tokens": item.tokens, "cost": item.cost_micros}
        for limit, amount in item.charges:
            _, freed, used = settled.get(limit.counter) or (limit, 0, 0)
            settled[limit.counter] = limit, freed + amount, used + spent.get(limit.metric, 0)
    in_order = [settled[counter] for counter in sorted(settled)]
    reservations = arrays.uuids(ids)
    return [
        b"[%b]" % b",".join([item.record for item in items]),
        reservations,
        reservations if events == ids else arrays.uuids(events),
        *_payloads([item.output for item in items]),
        *_keys([limit for limit, _, _ in in_order]),
        arrays.bigints([freed for _, freed, _ in in_order]),
        arrays.bigints([used for _, _, used in in_order]),
    ]
