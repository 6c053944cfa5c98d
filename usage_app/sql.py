"""Plain SQL of usage: sums over the log, which the ORM would fetch row by row or could not merge into arrays.

Metrics choose between fixed column expressions; every value is a parameter.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection  # noqa: TID251

from console.core.histogram import BOUNDS, BUCKETS

# What is no call of a model, and therefore counts against no quota. Refused calls are left out besides.
NOT_CALLS = "('admin', 'access', 'models', 'tool')"

_OF_EVENTS = {
    "requests": "count(*)",
    "tokens": "sum(prompt_tokens::bigint + completion_tokens)",
    "cost": "sum(cost_micros)",
}
_OF_HOURS = {
    "requests": "sum(requests - refusals)",
    "tokens": "sum(prompt_tokens + completion_tokens)",
    "cost": "sum(cost_micros)",
}
_SCOPE = """team_id = %(team)s
      AND (%(keys)s::uuid[] IS NULL OR key_id = ANY(%(keys)s)) AND (%(alias)s = '' OR alias = %(alias)s)
      AND (type = 'shadow') = %(is_shadow)s"""


def used_before(
    *,
    team_id: uuid.UUID,
    key_id: uuid.UUID | None,
    alias: str,
    metric: str,
    window: str,
    start: dt.datetime,
    purpose: str = "",
) -> int:
    """Return what calls closed so far have used in the period from `start` on.

    Hours that are rolled up already come from there and only the rest from the log, in one snapshot, so a month of
    ten million calls is read in milliseconds; minutes are shorter than the roll-up's hours and come from the log.
    """
    rolled = (
        "SELECT 0 AS n"
        if window == "minute"
        else (
            f"SELECT {_OF_HOURS[metric]} AS n FROM usage_usagehour"  # noqa: S608
            f" WHERE {_SCOPE} AND hour >= %(start)s AND type NOT IN {NOT_CALLS}"
        )
    )
    floor = "0" if window == "minute" else "coalesce((SELECT next_tx FROM usage_rollupstate WHERE id = 1), 0)"
    statement = f"""
    SELECT coalesce((SELECT n FROM ({rolled}) h), 0) + coalesce((
        SELECT {_OF_EVENTS[metric]} FROM audit_event
        WHERE {_SCOPE} AND id >= audit_id_floor(%(start)s) AND tx >= {floor}
          AND type NOT IN {NOT_CALLS} AND status <> 'refused'), 0)"""  # noqa: S608
    with connection.cursor() as cursor:
        keys = list(key_line(key_id)) if key_id else None
        cursor.execute(
            statement,
            {"team": team_id, "keys": keys, "alias": alias, "start": start, "is_shadow": purpose == "shadow"},
        )
        return int(cursor.fetchone()[0])


def key_line(key_id: uuid.UUID, *, backwards: bool = False) -> list[uuid.UUID]:
    """Return a key and those that replaced it, or, backwards, those it replaced: rotation makes lines of any length."""
    step = "k.replaced_by_id = line.id" if backwards else "k.id = line.next"
    statement = f"""
    WITH RECURSIVE line AS (
        SELECT id, replaced_by_id AS next FROM teams_apikey WHERE id = %s
        UNION SELECT k.id, k.replaced_by_id FROM line JOIN teams_apikey k ON {step}
    ) SELECT id FROM line"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [key_id])
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Recount:
    """What a counter says beside what the log and the open reservations say."""

    quota_id: int
    period_start: dt.datetime
    used: int | None
    reserved: int | None
    true_used: int
    true_reserved: int


_RECOUNT = f"""
WITH RECURSIVE keys AS (
    SELECT id AS quota_id, key_id FROM usage_quota WHERE key_id IS NOT NULL
    UNION SELECT k.quota_id, a.replaced_by_id FROM keys k JOIN teams_apikey a ON a.id = k.key_id
    WHERE a.replaced_by_id IS NOT NULL
),
open AS (
    SELECT u.quota_id, u.period_start, sum(u.amount)::bigint AS amount
    FROM usage_reservation r, unnest(r.quota_ids, r.period_starts, r.amounts) AS u(quota_id, period_start, amount)
    GROUP BY 1, 2
),
starts AS (
    SELECT id AS quota_id, date_trunc("window", %(now)s::timestamptz, 'UTC') AS period_start
    FROM usage_quota WHERE metric <> 'concurrency'
    UNION SELECT quota_id, period_start FROM usage_quotacounter WHERE reserved <> 0 OR %(closed)s
    UNION SELECT quota_id, period_start FROM open
)
SELECT q.id, s.period_start, c.used, c.reserved,
       (CASE WHEN q.opening_period = s.period_start THEN q.opening_used ELSE 0 END + coalesce(e.n, 0))::bigint,
       coalesce(o.amount, 0)
FROM starts s
JOIN usage_quota q ON q.id = s.quota_id
LEFT JOIN usage_quotacounter c ON c.quota_id = q.id AND c.period_start = s.period_start
LEFT JOIN open o ON o.quota_id = q.id AND o.period_start = s.period_start
-- Concurrency uses nothing up: its one endless period only ever holds reservations.
LEFT JOIN LATERAL (
    SELECT CASE q.metric WHEN 'requests' THEN count(*)
                         WHEN 'tokens' THEN sum(a.prompt_tokens::bigint + a.completion_tokens)
                         ELSE sum(a.cost_micros) END AS n
    FROM audit_event a
    WHERE q.metric <> 'concurrency'
      AND a.team_id = q.team_id AND (q.alias = '' OR a.alias = q.alias)
      AND (q.key_id IS NULL OR a.key_id = ANY(ARRAY(SELECT k.key_id FROM keys k WHERE k.quota_id = q.id)))
      AND a.id >= audit_id_floor(s.period_start)
      AND a.id < audit_id_floor((s.period_start AT TIME ZONE 'UTC' + CASE q."window"
          WHEN 'minute' THEN interval '1 minute' WHEN 'hour' THEN interval '1 hour'
          WHEN 'day' THEN interval '1 day' ELSE interval '1 month' END) AT TIME ZONE 'UTC')
      AND a.epoch >= q.since_epoch AND a.type NOT IN {NOT_CALLS} AND a.status <> 'refused'
      AND (a.type = 'shadow') = (q.purpose = 'shadow')
) e ON true
WHERE %(quota)s::bigint IS NULL OR q.id = %(quota)s
ORDER BY q.id, s.period_start"""  # noqa: S608


def recount(now: dt.datetime, *, quota_id: int | None = None, closed: bool = False) -> list[Recount]:
    """Count the open periods again, those with something reserved, and with `closed` every one there is a counter of.

    One statement sees one moment: a call that closes meanwhile is in the counter and in the log, or in neither.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_RECOUNT, {"now": now, "quota": quota_id, "closed": closed})
        return [Recount(*row) for row in cursor.fetchall()]


def lock_counter(quota_id: int, period_start: dt.datetime) -> None:
    """Make sure the counter is there and hold it, so that no call is admitted or closed against it meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_quotacounter (quota_id, period_start) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [quota_id, period_start],
        )
        cursor.execute(
            "SELECT 1 FROM usage_quotacounter WHERE quota_id = %s AND period_start = %s FOR UPDATE",
            [quota_id, period_start],
        )


def put_counter(quota_id: int, period_start: dt.datetime, *, used: int, reserved: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_quotacounter (quota_id, period_start, used, reserved) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (quota_id, period_start) DO UPDATE SET used = excluded.used, reserved = excluded.reserved",
            [quota_id, period_start, used, reserved],
        )


# Roll-ups ---------------------------------------------------------------------------------------------------------

_CUT = "team_id, environment, type, lane, alias, model"
_SUMS = ("requests", "errors", "refusals", "prompt_tokens", "completion_tokens", "cost_micros")


def _array(bucket: str) -> str:
    """One count per bucket, as an integer array. The counts come in grouped already, so this runs over few rows."""
    counts = ", ".join(f"coalesce(sum(n) FILTER (WHERE {bucket} = {i}), 0)::int" for i in range(BUCKETS))
    return f"ARRAY[{counts}]"


def _upsert(table: str, column: str, value: str, cut: str) -> str:
    sums = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in _SUMS)
    arrays = ", ".join(
        f"{name} = ARRAY(SELECT a + b FROM unnest(t.{name}, excluded.{name}) WITH ORDINALITY AS u(a, b, i) ORDER BY i)"  # noqa: S608
        for name in ("latency", "first_token")
    )
    return f"""
    INSERT INTO {table} AS t ({column}, {cut}, {", ".join(_SUMS)}, latency, first_token)
    SELECT {value}, {cut}, {", ".join(f"sum({name})" for name in _SUMS)}, {_array("lb")}, {_array("fb")}
    FROM grouped GROUP BY {value}, {cut}
    ON CONFLICT ({column}, {cut}) DO UPDATE SET {sums}, {arrays}
    """  # noqa: S608


# The innermost step leaves one row per hour, cut and pair of buckets; both tables are filled from it. A call that was
# refused before it meant any model has an alias nobody checked: it is counted, and its alias is not kept.
_ROLL_UP = f"""
WITH grouped AS MATERIALIZED (
    SELECT date_trunc('hour', at, 'UTC') AS hour, team_id, key_id, left(environment, 10) AS environment,
           left(type, 20) AS type, left(lane, 12) AS lane,
           CASE WHEN model = '' THEN '' ELSE left(alias, 100) END AS alias, left(model, 270) AS model,
           width_bucket(CASE WHEN status <> 'refused' THEN latency_us END, %(bounds)s::bigint[]) AS lb,
           width_bucket(CASE WHEN status <> 'refused' THEN first_token_us END, %(bounds)s::bigint[]) AS fb,
           count(*) AS n, count(*) AS requests,
           count(*) FILTER (WHERE status IN ('error', 'interrupted')) AS errors,
           count(*) FILTER (WHERE status = 'refused') AS refusals,
           sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
           sum(cost_micros) AS cost_micros
    FROM audit_event
    WHERE tx >= %(from_tx)s AND tx < %(to_tx)s AND team_id IS NOT NULL AND type NOT IN ('admin', 'access')
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, lb, fb
),
hours AS ({_upsert("usage_usagehour", "hour", "hour", f"key_id, {_CUT}")} RETURNING 1),
days AS ({_upsert("usage_usageday", "day", "(hour AT TIME ZONE 'UTC')::date", _CUT)} RETURNING 1)
SELECT coalesce((SELECT sum(n) FROM grouped), 0)"""  # noqa: S608


def horizon() -> int:
    """Return the transaction number below which everything is committed and visible, or will never be."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_horizon()")
        return int(cursor.fetchone()[0])


def holds_more_than(limit: int, from_tx: int, to_tx: int) -> bool:
    """Say whether these transactions wrote more lines than that; reads no more than are needed to know."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM audit_event WHERE tx >= %s AND tx < %s LIMIT %s) AS few",
            [from_tx, to_tx, limit + 1],
        )
        return int(cursor.fetchone()[0]) > limit


def roll_up(from_tx: int, to_tx: int) -> int:
    """Add the calls of these transactions to the hours and days, and return how many they were.

    One pass over the log per batch; the arrays are merged in place. Callers hold the state's row, so a transaction
    is added once.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_ROLL_UP, {"from_tx": from_tx, "to_tx": to_tx, "bounds": list(BOUNDS)})
        return int(cursor.fetchone()[0])


# Dashboards -----------------------------------------------------------------------------------------------------------

# Which sums to read: hours for a day, days for longer. The day's column becomes the moment it starts.
_GRAINS = {
    "hour": ("usage_usagehour", "hour", "hour"),
    "day": ("usage_usageday", "day", "day::timestamp AT TIME ZONE 'UTC'"),
}


def _summed(column: str) -> str:
    """Add histograms up bucket by bucket. Reading places of an array beats unnesting it five times over."""
    return "ARRAY[" + ", ".join(f"coalesce(sum({column}[{i}]), 0)" for i in range(1, BUCKETS + 1)) + "]::bigint[]"


def _rows(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def usage_by_time_and_team(
    grain: str, team_ids: list[uuid.UUID], environment: str, since: dt.datetime, until: dt.datetime
) -> list[tuple[Any, ...]]:
    """Return (moment, team, requests, errors, refusals, tokens, cost), one row per stretch of time and team."""
    table, column, moment = _GRAINS[grain]
    statement = f"""
    SELECT {moment}, team_id, sum(requests), sum(errors), sum(refusals), sum(prompt_tokens + completion_tokens)::bigint,
           sum(cost_micros)::bigint
    FROM {table} WHERE {_SHOWN} AND {column} >= %(since)s AND {column} < %(until)s GROUP BY {column}, team_id"""  # noqa: S608
    return _rows(statement, _shown(grain, team_ids, environment, since, until))


def latency_and_tops(
    grain: str,
    team_ids: list[uuid.UUID],
    environment: str,
    since: dt.datetime,
    until: dt.datetime,
    *,
    tops_since: dt.datetime,
    limit: int,
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return (moment, type, histogram) from `since` on, and what `usage_by_alias_and_model` does from `tops_since` on.

    Histograms are wide, so both are summed from one reading of them.
    """
    table, column, moment = _GRAINS[grain]
    statement = f"""
    WITH cut AS MATERIALIZED (
        SELECT {column}, type, alias, model,
               sum(requests) AS requests, sum(errors) AS errors, sum(refusals) AS refusals,
               sum(prompt_tokens + completion_tokens) AS tokens, sum(cost_micros) AS cost,
               {_summed("latency")} AS latency
        FROM {table} WHERE {_SHOWN} AND {column} >= %(since)s AND {column} < %(until)s
        GROUP BY {column}, type, alias, model
    ), tops AS (
        SELECT alias, model, sum(requests) AS requests, sum(errors) AS errors, sum(refusals) AS refusals,
               sum(tokens)::bigint AS tokens, sum(cost)::bigint AS cost, {_summed("latency")} AS latency
        FROM cut WHERE {column} >= %(tops_since)s
        GROUP BY alias, model ORDER BY cost DESC, requests DESC LIMIT %(limit)s
    )
    SELECT {moment}, type, '', '', NULL, NULL, NULL, NULL, NULL, {_summed("latency")} FROM cut GROUP BY {column}, type
    UNION ALL
    SELECT NULL, '', alias, model, requests, errors, refusals, tokens, cost, latency FROM tops"""  # noqa: S608
    parameters = _shown(grain, team_ids, environment, since, until)
    parameters |= {"limit": limit, "tops_since": tops_since.date() if grain == "day" else tops_since}
    rows = _rows(statement, parameters)
    return (
        [(row[0], row[1], row[-1]) for row in rows if row[0] is not None],
        [row[2:] for row in rows if row[0] is None],
    )


def usage_by_time_and_lane(
    grain: str, team_ids: list[uuid.UUID], environment: str, since: dt.datetime, until: dt.datetime
) -> list[tuple[Any, ...]]:
    """Return (moment, lane, requests, errors, refusals, latency, first token), the last two as histograms."""
    table, column, moment = _GRAINS[grain]
    statement = f"""
    SELECT {moment}, lane, sum(requests)::bigint, sum(errors)::bigint, sum(refusals)::bigint,
           {_summed("latency")}, {_summed("first_token")}
    FROM {table} WHERE {_SHOWN} AND {column} >= %(since)s AND {column} < %(until)s AND lane <> ''
    GROUP BY {column}, lane"""  # noqa: S608
    return _rows(statement, _shown(grain, team_ids, environment, since, until))


def usage_by_alias_and_model(
    grain: str,
    team_ids: list[uuid.UUID],
    environment: str,
    since: dt.datetime,
    until: dt.datetime,
    limit: int,
    *,
    with_shadows: bool = True,
) -> list[tuple[Any, ...]]:
    """Return (alias, model, requests, errors, refusals, tokens, cost, histogram), the dearest first.

    Without shadow copies, the figures are those of calls somebody waited for.
    """
    table, column, _ = _GRAINS[grain]
    statement = f"""
    SELECT alias, model, sum(requests), sum(errors), sum(refusals), sum(prompt_tokens + completion_tokens)::bigint,
           sum(cost_micros)::bigint AS cost, {_summed("latency")}
    FROM {table} WHERE {_SHOWN} AND {column} >= %(since)s AND {column} < %(until)s
      AND (%(with_shadows)s OR type <> 'shadow')
    GROUP BY alias, model ORDER BY cost DESC, 3 DESC LIMIT %(limit)s"""  # noqa: S608
    return _rows(
        statement, _shown(grain, team_ids, environment, since, until) | {"limit": limit, "with_shadows": with_shadows}
    )


_SHOWN = f"team_id = ANY(%(teams)s) AND environment = %(environment)s AND type NOT IN {NOT_CALLS}"


def _shown(
    grain: str, team_ids: list[uuid.UUID], environment: str, since: dt.datetime, until: dt.datetime
) -> dict[str, Any]:
    if grain == "day":
        return {"teams": team_ids, "environment": environment, "since": since.date(), "until": until.date()}
    return {"teams": team_ids, "environment": environment, "since": since, "until": until}


# Pruning, a few thousand rows at a time so that no lock is held for long --------------------------------------------


def prune_counters(window: str, before: dt.datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM usage_quotacounter WHERE ctid = ANY(ARRAY(
                SELECT c.ctid FROM usage_quotacounter c JOIN usage_quota q ON q.id = c.quota_id
                WHERE q."window" = %s AND c.period_start < %s AND c.reserved = 0 LIMIT %s
                FOR UPDATE OF c SKIP LOCKED))""",
            [window, before, limit],
        )
        return int(cursor.rowcount)


def prune_alerts(before: dt.datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM usage_quotaalert"
            " WHERE id IN (SELECT id FROM usage_quotaalert WHERE period_start < %s LIMIT %s)",
            [before, limit],
        )
        return int(cursor.rowcount)


def prune_hours(before: dt.datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM usage_usagehour WHERE id IN (SELECT id FROM usage_usagehour WHERE hour < %s LIMIT %s)",
            [before, limit],
        )
        return int(cursor.rowcount)
