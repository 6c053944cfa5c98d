"""The last minutes of calls, as their callers met them: what alert rules look at."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection  # noqa: TID251

from console.core.histogram import BOUNDS
from console.core.histogram_sql import added, counted, counts, summed
from usage_app.sql.calls import FAILED, FOLLOWED, NOT_CALLS, REFUSED

KEPT_HOURS = 2
# Where there is no rule, the log is not read: the one-time filter comes first. Old calls, of a log that is summed up
# late, are left out: rules look at the last hour.
_MINUTES = f"""
INSERT INTO usage_usageminute AS t (minute, team_id, calls, errors, latency)
SELECT minute, team_id, sum(calls), sum(errors), {counted("lb")}
FROM (
    SELECT date_trunc('minute', closed_at, 'UTC') AS minute, team_id,
           width_bucket(CASE WHEN status <> 'refused' AND lane <> 'batch' THEN latency_us END, %(bounds)s::bigint[])
               AS lb,
           count(*) AS n, count(*) FILTER (WHERE NOT {REFUSED}) AS calls, count(*) FILTER (WHERE {FAILED}) AS errors
    FROM audit_event
    WHERE EXISTS (SELECT FROM usage_alertrule)
      AND tx >= %(from_tx)s AND tx < %(to_tx)s AND team_id IS NOT NULL AND environment = 'production'
      AND type NOT IN {NOT_CALLS} AND type <> 'shadow' AND NOT {FOLLOWED}
      AND closed_at >= now() - interval '{KEPT_HOURS} hours'
    GROUP BY 1, 2, 3
) AS grouped
GROUP BY minute, team_id
ON CONFLICT (minute, team_id) DO UPDATE SET {added(("calls", "errors"), ("latency",))}"""  # noqa: S608

_SUMMED = f"""
SELECT sums.calls, sums.errors, sums.latency
FROM unnest(%(teams)s::uuid[], %(since)s::timestamptz[]) WITH ORDINALITY AS wanted(team, since, place)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.calls), 0)::bigint AS calls, coalesce(sum(m.errors), 0)::bigint AS errors,
           {counts(summed("m.latency"))} AS latency
    FROM usage_usageminute m
    WHERE m.minute >= wanted.since AND m.minute < %(until)s
      AND CASE WHEN wanted.team IS NULL THEN m.team_id NOT IN (SELECT id FROM teams_team WHERE is_demo)
          ELSE m.team_id = wanted.team END
) sums ORDER BY wanted.place"""  # noqa: S608


def add_minutes(cursor: Any, from_tx: int, to_tx: int) -> None:
    """Add the calls of these transactions to their minutes, if anybody has a rule."""
    cursor.execute(_MINUTES, {"from_tx": from_tx, "to_tx": to_tx, "bounds": list(BOUNDS)})


def minutes_summed(
    wanted: Sequence[tuple[uuid.UUID | None, dt.datetime]], until: dt.datetime
) -> list[tuple[int, int, list[int]]]:
    """Return (calls, errors, histogram of latencies) of each team since its moment; of None, of all but the demo's."""
    with connection.cursor() as cursor:
        teams, since = [team for team, _ in wanted], [moment for _, moment in wanted]
        cursor.execute(_SUMMED, {"teams": teams, "since": since, "until": until})
        rows: list[tuple[int, int, list[int]]] = cursor.fetchall()
        return rows


def forget_minutes() -> None:
    """Remove what no rule looks at any more: as many rows as there were teams that minute, if it runs each minute."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM usage_usageminute WHERE minute < now() - interval '{KEPT_HOURS} hours'")  # noqa: S608
