"""What the ledger writes, and the parameters of its two batched statements."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, chain, repeat
from operator import add, attrgetter
from typing import Any, NamedTuple

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


@dataclass(slots=True)
class Verdict:
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
    " $21::bigint[], $22::timestamptz[], $23::bigint[], $24::bigint[],"
    " $25::text[], $26::bigint[], $27::timestamptz[], $28::text[], $29::bigint[], $30::bigint[])"
)
CLOSE = (
    "CALL gateway_end($1::json, $2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::bytea[], $7::boolean[],"
    " $8::integer[], $9::bigint[], $10::timestamptz[], $11::bigint[], $12::bigint[],"
    " $13::bigint[], $14::timestamptz[], $15::text[], $16::bigint[], $17::bigint[], NULL)"
)
_NO_PAYLOAD = PreparedPayload(None, None, None, None, None, None)  # type: ignore[arg-type]
_counter_of = attrgetter("counter")
_columns_of = attrgetter("columns")


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
    quota, period = counter[0], counter[1]
    return LimitColumns(
        quota=arrays.bigint(quota),
        period=arrays.moment(period),
        metric=arrays.octets(metric.encode()),
        most=arrays.bigint(most),
        refusal=arrays.octets(refusal),
        end_user=arrays.NULL,
    )


def of_end_user(columns: LimitColumns, end_user: str) -> LimitColumns:
    """Return the columns of a limit for each end user as they are for one."""
    return columns._replace(end_user=arrays.octets(end_user.encode()))


def with_refusal(columns: LimitColumns, refusal: bytes) -> LimitColumns:
    """Return the columns of a limit with another refusal."""
    return columns._replace(refusal=arrays.octets(refusal))


# A batch has many charges, so what is done for each of them is left to C functions where that reads as well as a loop.


def _split(charged: Iterable[tuple[Charge, ...]]) -> tuple[tuple[Limit, ...], tuple[int, ...]]:
    """Return the limits of all calls' charges, one after the other, and what each sets aside."""
    charges = tuple(chain.from_iterable(charged))
    return tuple(zip(*charges, strict=True)) if charges else ((), ())  # type: ignore[return-value]


def _columns(limits: Iterable[Limit]) -> tuple[tuple[bytes, ...], ...]:
    """Return what limits put into the arrays, array by array."""
    return tuple(zip(*map(_columns_of, limits), strict=True)) or ((),) * len(LimitColumns._fields)


def _in_order(limits: tuple[Limit, ...], *amounts: tuple[int, ...]) -> tuple[tuple[Any, ...], ...]:
    """Return each counter concerned once, in the order they are locked in: its least limit, and sums of its amounts."""
    rows = zip(limits, *amounts, strict=True)
    sums: dict[Counter, tuple[Any, ...]] = dict(zip(map(_counter_of, limits), rows, strict=True))
    if len(sums) < len(limits):  # calls of one team
        sums = _summed(zip(limits, *amounts, strict=True))
    return tuple(zip(*map(sums.__getitem__, sorted(sums)), strict=True)) or ((),) * (1 + len(amounts))


def _summed(rows: Iterable[tuple[Any, ...]]) -> dict[Counter, tuple[Any, ...]]:
    sums: dict[Counter, tuple[Any, ...]] = {}
    for limit, *amounts in rows:
        other, *before = sums.get(limit.counter) or (limit, *repeat(0, len(amounts)))
        is_less = limit.quota.is_hard and (not other.quota.is_hard or limit.most < other.most)
        sums[limit.counter] = (limit if is_less else other, *map(add, before, amounts))
    return sums


def _is_of_end_user(limit: Limit) -> bool:
    return len(limit.counter) == 3


def _apart(limits: tuple[Limit, ...], *amounts: tuple[int, ...]) -> tuple[tuple[tuple[Any, ...], ...], ...]:
    """Return the counters of quotas, and those of end users, each with their amounts and in their order."""
    rows = list(zip(limits, *amounts, strict=True))
    kinds = ([row for row in rows if _is_of_end_user(row[0]) is is_each] for is_each in (False, True))
    return tuple(tuple(zip(*kind, strict=True)) or ((),) * (1 + len(amounts)) for kind in kinds)


# The parameters about end users of a batch without any, which is the usual one.
_NONE_EACH = [arrays.array_head(kind, 0) for kind in (arrays.INT8, arrays.TIMESTAMPTZ, arrays.TEXT)] + [
    arrays.array_head(arrays.INT8, 0)
] * 2


def _end_user_parameters(limits: tuple[Limit, ...], *amounts: tuple[int, ...], with_most: bool = False) -> list[bytes]:
    """Return the counters of end users as parameters: which they are, and their amounts, or what they may reach."""
    quotas, periods, _, mosts, _, users = _columns(limits)
    return [
        arrays.array(arrays.INT8, quotas),
        arrays.array(arrays.TIMESTAMPTZ, periods),
        arrays.array(arrays.TEXT, users),
        *map(arrays.bigints, amounts),
        *([arrays.array(arrays.INT8, mosts)] if with_most else []),
    ]


def begin_parameters(
    items: list[Begin], process: bytes, lease: int
) -> tuple[list[bytes], tuple[int, ...], list[Counter]]:
    """Return the parameters of BEGIN, each call's first charge, and the counters in the order they are counted."""
    epochs, ids, _, records, teams, _, charged, are_refusals, inputs = zip(*items, strict=True)
    counts = tuple(map(len, charged))
    first = tuple(accumulate(counts[:-1], initial=1))
    limits, amounts = _split(charged)
    quotas, periods, metrics, mosts, refusals, users = _columns(limits)
    bounds, sums = _in_order(limits, amounts)
    user_bounds, user_sums = (), ()
    if users.count(arrays.NULL) < len(users):
        (bounds, sums), (user_bounds, user_sums) = _apart(bounds, sums)
    else:
        users = ()
    of_quotas, of_periods, _, bound_mosts, _, _ = _columns(bounds)
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
        arrays.array(arrays.INT8, of_quotas),
        arrays.array(arrays.TIMESTAMPTZ, of_periods),
        arrays.bigints(sums),
        arrays.array(arrays.INT8, bound_mosts),
        arrays.array(arrays.TEXT, users),
        *(_end_user_parameters(user_bounds, user_sums, with_most=True) if user_bounds else _NONE_EACH),
    ]
    return parameters, first, list(map(_counter_of, (*bounds, *user_bounds)))


def verdicts_of(row: list[bytes | None], first: tuple[int, ...], counters: list[Counter]) -> list[Verdict]:
    numbers = arrays.read_integers(row[0])
    counted = dict(zip(counters, arrays.read_integers(row[1]) + arrays.read_integers(row[2]), strict=False))
    admitted = Verdict(is_stale=False, refused_by=None, counted=counted)  # as nearly all are
    return [
        admitted if number == 0 else Verdict(number == -1, number - place if number > 0 else None, counted)
        for number, place in zip(numbers, first, strict=True)
    ]


def _spent(item: Close) -> list[int]:
    """Return what each charge of a call came to; a concurrency is only freed."""
    spent = {"requests": 1, "tokens": item.tokens, "cost": item.cost_micros, "concurrency": 0}
    return [spent[limit.metric] for limit, _ in item.charges]


def close_parameters(items: list[Close]) -> list[bytes]:
    ids, records, charged, _, _, outputs, events = zip(*items, strict=True)
    limits, amounts = _split(charged)
    settled, freed, spent = _in_order(limits, amounts, tuple(chain.from_iterable(map(_spent, items))))
    quotas, periods, _, _, _, users = _columns(settled)
    user_counters: tuple[tuple[Any, ...], ...] = ()
    if users.count(arrays.NULL) < len(users):
        (settled, freed, spent), user_counters = _apart(settled, freed, spent)
        quotas, periods, _, _, _, _ = _columns(settled)
    reservations = arrays.uuids(ids)
    return [
        b"[%b]" % b",".join(records),
        reservations,
        reservations if events == ids else arrays.uuids([event or id for event, id in zip(events, ids, strict=True)]),
        *_payloads(outputs),
        arrays.array(arrays.INT8, quotas),
        arrays.array(arrays.TIMESTAMPTZ, periods),
        arrays.bigints(freed),
        arrays.bigints(spent),
        *(_end_user_parameters(*user_counters) if user_counters else _NONE_EACH),
    ]
