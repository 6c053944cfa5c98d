"""Roll up hours, days and totals from the log, a range of transactions at a time."""

from django.db import connection  # noqa: TID251

from console.core.histogram import BOUNDS, OCTAVES, PER_OCTAVE
from console.core.histogram_sql import added, counted
from usage_app.sql.calls import FAILED, FOLLOWED, NOT_CALLS, REFUSED
from usage_app.sql.labels import add_labels
from usage_app.sql.minutes import add_minutes

_CUT = "team_id, environment, type, lane, alias, model"
_PLACE = "team_id, kind, subject, environment, alias, model"
_DAY = "(hour AT TIME ZONE 'UTC')::date"
_SUMS = ("requests", "errors", "refusals", "prompt_tokens", "completion_tokens", "cost_micros")
# Of hours and days, which say what callers met.
_OWN_SUMS = (*_SUMS, "attempts")
_ARRAYS = ("latency", "first_token")


# Since the first call: finer cut than the days, by how a call ended, with coarser durations and their sums.
_TOTAL_CUT = f"{_CUT}, status, code"
_TOTAL_SUMS = ("requests", "prompt_tokens", "completion_tokens", "cost_micros", "latency_us", "first_token_us")


def _octave(bucket: str) -> str:
    """Which octave a bucket belongs to; console.core.histogram.by_octave says the same."""
    return f"({bucket} + {PER_OCTAVE - 1}) / {PER_OCTAVE}"


def _upsert(
    table: str,
    column: str,
    value: str,
    cut: str,
    *,
    sums: tuple[str, ...] = _SUMS,
    is_last_kept: bool = False,
    source: str = "grouped",
) -> str:
    """Add what is grouped to a table of sums; with `is_last_kept`, the newest call's time stands there too."""
    last = ("last_at, ", "max(last_at), ", ", last_at = greatest(t.last_at, excluded.last_at)")
    column_, value_, set_ = last if is_last_kept else ("", "", "")
    return f"""
    INSERT INTO {table} AS t ({column}, {cut}, {column_}{", ".join(sums)}, latency, first_token)
    SELECT {value}, {cut}, {value_}{", ".join(f"sum({name})" for name in sums)}, {counted("lb")}, {counted("fb")}
    FROM {source} GROUP BY {value}, {cut}
    ON CONFLICT ({column}, {cut}) DO UPDATE SET {added(sums, _ARRAYS)}{set_}
    """  # noqa: S608


_TOTALS = f"""
    INSERT INTO usage_usagetotal AS t ({_TOTAL_CUT}, {", ".join(_TOTAL_SUMS)}, latency, first_token)
    SELECT {_TOTAL_CUT}, {", ".join(f"sum({name})" for name in _TOTAL_SUMS)},
           {counted(_octave("lb"), OCTAVES)}, {counted(_octave("fb"), OCTAVES)}
    FROM grouped GROUP BY {_TOTAL_CUT}
    ON CONFLICT ({_TOTAL_CUT}) DO UPDATE SET {added(_TOTAL_SUMS, _ARRAYS)}
    """  # noqa: S608


# Where a call belongs in the inventory: see UsageTouchpoint. An agent's name in the log is `slug@version`.
_IS_NOWHERE = f"(type IN {NOT_CALLS} OR type IN ('shadow', 'playground', 'evaluation'))"
_IS_AGENT = "(agent <> '' AND (type = 'agent' OR (key_id IS NULL AND actor_kind <> 'widget')))"
_IS_WIDGET = "(actor_kind = 'widget' AND actor_id IS NOT NULL)"
_KIND = f"""CASE WHEN {_IS_NOWHERE} THEN '' WHEN {_IS_AGENT} THEN 'agent' WHEN {_IS_WIDGET} THEN 'widget'
                WHEN key_id IS NOT NULL THEN 'key' ELSE '' END"""
_SUBJECT = f"""CASE WHEN {_IS_NOWHERE} THEN '' WHEN {_IS_AGENT} THEN left(split_part(agent, '@', 1), 60)
                WHEN {_IS_WIDGET} THEN actor_id::text ELSE coalesce(key_id::text, '') END"""
# What a call looks up in documents is a call of its own in the log. Its place pays for it, and was asked once only.
_LOOKS_UP = """(type = 'embedding' AND (surface IN ('chat', 'widget', 'agent')
                 OR (route LIKE '/v1/%%' AND route <> '/v1/embeddings')))"""


def _unless_looked_up(other: str, *names: str) -> str:
    return ", ".join(f"CASE WHEN looks_up THEN {other} ELSE {name} END AS {name}" for name in names)


_SOMEWHERE = f"""(
    SELECT hour, {_unless_looked_up("''", "alias", "model")},
           {_unless_looked_up("0", "requests", "errors", "refusals")}, {_unless_looked_up("NULL", "lb", "fb")},
           team_id, kind, subject, environment, prompt_tokens, completion_tokens, cost_micros, n, last_at
    FROM grouped WHERE kind <> ''
) AS somewhere"""  # noqa: S608

# The innermost step leaves one row per hour, cut and pair of buckets; all tables are filled from it. A call that was
# refused before it meant any model has an alias nobody checked: it is counted, and its alias is not kept. Codes of
# failures may be the provider's own words, of which there is no end: only ours are kept.
_ROLL_UP = f"""
WITH grouped AS MATERIALIZED (
    SELECT date_trunc('hour', at, 'UTC') AS hour, team_id, key_id, left(environment, 10) AS environment,
           left(type, 20) AS type, left(lane, 12) AS lane, left(status, 20) AS status,
           CASE WHEN status = 'refused' OR code LIKE 'upstream\\_%%' THEN left(code, 60) ELSE '' END AS code,
           CASE WHEN model = '' THEN '' ELSE left(alias, 100) END AS alias, left(model, 270) AS model,
           {_KIND} AS kind, {_SUBJECT} AS subject, {_LOOKS_UP} AS looks_up,
           width_bucket(CASE WHEN status <> 'refused' THEN latency_us END, %(bounds)s::bigint[]) AS lb,
           width_bucket(CASE WHEN status <> 'refused' THEN first_token_us END, %(bounds)s::bigint[]) AS fb,
           count(*) AS n, count(*) AS requests,
           count(*) FILTER (WHERE {FAILED}) AS errors, count(*) FILTER (WHERE {REFUSED}) AS refusals,
           count(*) FILTER (WHERE {FOLLOWED}) AS attempts, sum(prompt_tokens) AS prompt_tokens,
           sum(completion_tokens) AS completion_tokens, sum(cost_micros) AS cost_micros,
           coalesce(sum(latency_us) FILTER (WHERE status <> 'refused'), 0) AS latency_us,
           coalesce(sum(first_token_us) FILTER (WHERE status <> 'refused'), 0) AS first_token_us,
           max(at) AS last_at, count(*) FILTER (WHERE end_user <> '') AS named,
           count(metadata) AS labelled
    FROM audit_event
    WHERE tx >= %(from_tx)s AND tx < %(to_tx)s AND team_id IS NOT NULL AND type NOT IN ('admin', 'access')
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, lb, fb
),
hours AS ({_upsert("usage_usagehour", "hour", "hour", f"key_id, {_CUT}", sums=_OWN_SUMS)} RETURNING 1),
days AS ({_upsert("usage_usageday", "day", _DAY, _CUT, sums=_OWN_SUMS)} RETURNING 1),
totals AS ({_TOTALS} RETURNING 1),
places AS ({_upsert("usage_usagetouchpoint", "day", _DAY, _PLACE, is_last_kept=True, source=_SOMEWHERE)} RETURNING 1)
SELECT coalesce(sum(n), 0), coalesce(sum(named), 0), coalesce(sum(labelled), 0) FROM grouped"""  # noqa: S608

# Whose calls they were, a month at a time, and all of a team's together, which have no name. Apart from the rest, whose
# rows they would be many times as many of; where nobody says it, nothing is read.
_END_USERS = f"""
INSERT INTO usage_usageenduser AS t (month, team_id, end_user, {", ".join(_SUMS)})
SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date, team_id, coalesce(end_user, ''), count(*),
       count(*) FILTER (WHERE {FAILED}), count(*) FILTER (WHERE {REFUSED}),
       sum(prompt_tokens), sum(completion_tokens), sum(cost_micros)
FROM audit_event
WHERE tx >= %(from_tx)s AND tx < %(to_tx)s AND end_user <> '' AND team_id IS NOT NULL AND type NOT IN {NOT_CALLS}
GROUP BY 1, GROUPING SETS ((team_id, end_user), (team_id))
ON CONFLICT (team_id, month, end_user)
DO UPDATE SET {", ".join(f"{name} = t.{name} + excluded.{name}" for name in _SUMS)}
"""  # noqa: S608


def holds_more_than(limit: int, from_tx: int, to_tx: int) -> bool:
    """Return whether these transactions wrote more lines than that; reads no more than are needed to know."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM audit_event WHERE tx >= %s AND tx < %s LIMIT %s) AS few",
            [from_tx, to_tx, limit + 1],
        )
        return int(cursor.fetchone()[0]) > limit


def roll_up(from_tx: int, to_tx: int) -> int:
    """Add the calls of these transactions to the hours, days, months and totals, and return how many they were.

    One pass over the log per batch; the arrays are merged in place. Callers hold the state's row, so a transaction
    is added once.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_ROLL_UP, {"from_tx": from_tx, "to_tx": to_tx, "bounds": list(BOUNDS)})
        calls, named, labelled = cursor.fetchone()
        if named:
            cursor.execute(_END_USERS, {"from_tx": from_tx, "to_tx": to_tx})
        if labelled:
            add_labels(cursor, from_tx, to_tx)
        add_minutes(cursor, from_tx, to_tx)
        return int(calls)
