"""Figures of dashboards, from roll-ups and never from the log."""

import datetime as dt
import uuid
from typing import Any

from django.db import connection  # noqa: TID251

from console.core.histogram_sql import counts, summed
from usage_app.sql.calls import NOT_CALLS

# Which sums to read: hours for a day, days for longer. The day's column becomes the moment it starts.
_GRAINS = {
    "hour": ("usage_usagehour", "hour", "hour"),
    "day": ("usage_usageday", "day", "day::timestamp AT TIME ZONE 'UTC'"),
}
_SHOWN = f"team_id = ANY(%(teams)s) AND environment = %(environment)s AND type NOT IN {NOT_CALLS}"


def _parameters(
    grain: str, team_ids: list[uuid.UUID], environment: str, since: dt.datetime, until: dt.datetime
) -> dict[str, Any]:
    if grain == "day":
        return {"teams": team_ids, "environment": environment, "since": since.date(), "until": until.date()}
    return {"teams": team_ids, "environment": environment, "since": since, "until": until}


def _rows(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def usage_by_time_and_team(
    grain: str, team_ids: list[uuid.UUID], environment: str, since: dt.datetime, until: dt.datetime
) -> list[tuple[Any, ...]]:
    """Return (moment, team, requests, errors, refusals, attempts, tokens, cost), one row per moment and team."""
    table, column, moment = _GRAINS[grain]
    statement = f"""
    SELECT {moment}, team_id, sum(requests), sum(errors), sum(refusals), sum(attempts),
           sum(prompt_tokens + completion_tokens)::bigint, sum(cost_micros)::bigint
    FROM {table} WHERE {_SHOWN} AND {column} >= %(since)s AND {column} < %(until)s GROUP BY {column}, team_id"""  # noqa: S608
    return _rows(statement, _parameters(grain, team_ids, environment, since, until))


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
    """Return (moment, type, histogram) from `since` on, and those that cost most from `tops_since` on.

    The second are (alias, model, requests, errors, refusals, attempts, tokens, cost, histogram). Histograms are wide,
    so both are summed from one reading of them.
    """
    table, column, moment = _GRAINS[grain]
    statement = f"""
    WITH cut AS MATERIALIZED (
        SELECT {column}, type, alias, model,
               sum(requests) AS requests, sum(errors) AS errors, sum(refusals) AS refusals, sum(attempts) AS attempts,
               sum(prompt_tokens + completion_tokens) AS tokens, sum(cost_micros) AS cost,
               {summed("latency")} AS latency
        FROM {table} WHERE {_SHOWN} AND {column} >= %(since)s AND {column} < %(until)s
        GROUP BY {column}, type, alias, model
    ), tops AS (
        SELECT alias, model, sum(requests)::bigint AS requests, sum(errors)::bigint AS errors,
               sum(refusals)::bigint AS refusals, sum(attempts)::bigint AS attempts, sum(tokens)::bigint AS tokens,
               sum(cost)::bigint AS cost, sum(latency) AS latency
        FROM cut WHERE {column} >= %(tops_since)s
        GROUP BY alias, model ORDER BY cost DESC, requests DESC LIMIT %(limit)s
    )
    SELECT {moment}, type, '', '', NULL, NULL, NULL, NULL, NULL, NULL, {counts("sum(latency)")}
    FROM cut GROUP BY {column}, type
    UNION ALL
    SELECT NULL, '', alias, model, requests, errors, refusals, attempts, tokens, cost, {counts("latency")} FROM tops"""  # noqa: S608
    parameters = _parameters(grain, team_ids, environment, since, until)
    parameters |= {"limit": limit, "tops_since": tops_since.date() if grain == "day" else tops_since}
    rows = _rows(statement, parameters)
    return (
        [(row[0], row[1], row[-1]) for row in rows if row[0] is not None],
        [row[2:] for row in rows if row[0] is None],
    )


def usage_by_time_and_lane(
    grain: str, team_ids: list[uuid.UUID], environment: str, since: dt.datetime, until: dt.datetime
) -> list[tuple[Any, ...]]:
    """Return (moment, lane, requests, errors, refusals, attempts, latency, first token), the last two as histograms."""
    table, column, moment = _GRAINS[grain]
    statement = f"""
    SELECT {moment}, lane, sum(requests)::bigint, sum(errors)::bigint, sum(refusals)::bigint,
           sum(attempts)::bigint, {counts(summed("latency"))}, {counts(summed("first_token"))}
    FROM {table} WHERE {_SHOWN} AND {column} >= %(since)s AND {column} < %(until)s AND lane <> ''
    GROUP BY {column}, lane"""  # noqa: S608
    return _rows(statement, _parameters(grain, team_ids, environment, since, until))


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
           sum(cost_micros)::bigint AS cost, {counts(summed("latency"))}
    FROM {table} WHERE {_SHOWN} AND {column} >= %(since)s AND {column} < %(until)s
      AND (%(with_shadows)s OR type <> 'shadow')
    GROUP BY alias, model ORDER BY cost DESC, 3 DESC LIMIT %(limit)s"""  # noqa: S608
    return _rows(
        statement,
        _parameters(grain, team_ids, environment, since, until) | {"limit": limit, "with_shadows": with_shadows},
    )
