"""The last minutes of calls, as their callers met them: what alert rules look at."""

import datetime as dt
import uuid
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
SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(errors), 0)::bigint, {counts(summed("latency"))}
FROM usage_usageminute
WHERE minute >= %(since)s AND minute < %(until)s
  AND CASE WHEN %(team)s::uuid IS NULL THEN team_id NOT IN (SELECT id FROM teams_team WHERE is_demo)
      ELSE team_id = %(team)s END"""  # noqa: S608


def add_minutes(cursor: Any, from_tx: int, to_tx: int) -> None:
    """Add the calls of these transactions to their minutes, if anybody has a rule."""
    cursor.execute(_MINUTES, {"from_tx": from_tx, "to_tx": to_tx, "bounds": list(BOUNDS)})


def minutes_summed(team_id: uuid.UUID | None, since: dt.datetime, until: dt.datetime) -> tuple[int, int, list[int]]:
    """Return (calls, errors, histogram of latencies) of a team in these minutes, or of all but the demo's."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMMED, {"team": team_id, "since": since, "until": until})
        calls, errors, latency = cursor.fetchone()
        return calls, errors, latency


def forget_minutes() -> None:
    """Remove what no rule looks at any more: as many rows as there were teams that minute, if it runs each minute."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM usage_usageminute WHERE minute < now() - interval '{KEPT_HOURS} hours'")  # noqa: S608
