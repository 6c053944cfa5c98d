"""The last minutes of calls, for alert rules."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection  # noqa: TID251

from console.core.histogram import BOUNDS
from console.core.histogram_sql import added, counted, counts, summed
from usage_app.sql.calls import FAILED, FOLLOWED, NOT_CALLS, REFUSED

KEPT_HOURS = 2
# Where there is no rule, the log is not read: the one-time filter comes first. Old calls, of a log that is summed up
# late, are left out: rules look at the last hour.
_MINUTES = f"""
INSERT INTO usage_usageminute AS t (minute, team_id, environment, alias, calls, errors, latency)
SELECT minute, team_id, environment, alias, sum(calls), sum(errors), {counted("lb")}
FROM (
    SELECT date_trunc('minute', closed_at, 'UTC') AS minute, team_id, environment,
           CASE WHEN alias IN (SELECT alias FROM usage_alertrule) THEN alias ELSE '' END AS alias,
           width_bucket(CASE WHEN status <> 'refused' AND lane <> 'batch' THEN latency_us END, %(bounds)s::bigint[])
               AS lb,
           count(*) AS n, count(*) FILTER (WHERE NOT {REFUSED}) AS calls, count(*) FILTER (WHERE {FAILED}) AS errors
    FROM audit_event
    WHERE EXISTS (SELECT FROM usage_alertrule)
      AND tx >= %(from_tx)s AND tx < %(to_tx)s AND team_id IS NOT NULL
      AND environment IN (SELECT environment FROM usage_alertrule)
      AND type NOT IN {NOT_CALLS} AND type <> 'shadow' AND NOT {FOLLOWED}
      AND closed_at >= now() - interval '{KEPT_HOURS} hours'
    GROUP BY 1, 2, 3, 4, 5
) AS grouped
GROUP BY minute, team_id, environment, alias
ON CONFLICT (minute, team_id, environment, alias) DO UPDATE SET {added(("calls", "errors"), ("latency",))}"""  # noqa: S608

_SUMMED = f"""
SELECT sums.calls, sums.errors, sums.latency
FROM unnest(%(teams)s::uuid[], %(since)s::timestamptz[], %(environments)s::text[], %(aliases)s::text[])
     WITH ORDINALITY AS wanted(team, since, environment, alias, place)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.calls), 0)::bigint AS calls, coalesce(sum(m.errors), 0)::bigint AS errors,
           {counts(summed("m.latency"))} AS latency
    FROM usage_usageminute m
    WHERE m.minute >= wanted.since AND m.minute < %(until)s
      AND m.environment = wanted.environment AND (wanted.alias = '' OR m.alias = wanted.alias)
      AND CASE WHEN wanted.team IS NULL THEN m.team_id NOT IN (SELECT id FROM teams_team WHERE is_demo)
          ELSE m.team_id = wanted.team END
) sums ORDER BY wanted.place"""  # noqa: S608


def add_minutes(cursor: Any, from_tx: int, to_tx: int) -> None:
    """Add the calls of these transactions to their minutes, if anybody has a rule."""
    cursor.execute(_MINUTES, {"from_tx": from_tx, "to_tx": to_tx, "bounds": list(BOUNDS)})


class Minutes(NamedTuple):
    """Calls of a team, or of all but the demo's, since a moment: in one environment, of one alias or of all."""

    team: uuid.UUID | None
    since: dt.datetime
    environment: str
    alias: str


def minutes_summed(wanted: Sequence[Minutes], until: dt.datetime) -> list[tuple[int, int, list[int]]]:
    """Return (calls, errors, histogram of latencies) of each that is wanted."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SUMMED,
            {
                "teams": [one.team for one in wanted],
                "since": [one.since for one in wanted],
                "environments": [one.environment for one in wanted],
                "aliases": [one.alias for one in wanted],
                "until": until,
            },
        )
        rows: list[tuple[int, int, list[int]]] = cursor.fetchall()
        return rows


def forget_minutes() -> None:
    """Remove what no rule looks at any more: a minute of rows, if it runs each minute."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM usage_usageminute WHERE minute < now() - interval '{KEPT_HOURS} hours'")  # noqa: S608
