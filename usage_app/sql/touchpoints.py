"""Figures of single keys, widgets and agents, from daily roll-ups."""

import datetime as dt
import uuid
from typing import Any

from django.db import connection  # noqa: TID251

from console.core.histogram_sql import summed

# Names are made distinct after a place's days are one, for that sorts.
_FIGURES = f"""
SELECT team_id, kind, subject, max(last_at), sum(requests)::bigint, sum(errors)::bigint, sum(refusals)::bigint,
       sum(cost_micros)::bigint, sum(latency)::text, sum(first_token)::text,
       coalesce(array_agg(DISTINCT alias) FILTER (WHERE alias <> ''), ARRAY[]::varchar[]),
       coalesce(array_agg(DISTINCT model) FILTER (WHERE model <> ''), ARRAY[]::varchar[])
FROM (
    SELECT team_id, kind, subject, alias, model, max(last_at) AS last_at, sum(requests) AS requests,
           sum(errors) AS errors, sum(refusals) AS refusals, sum(cost_micros) AS cost_micros,
           {summed("latency")} AS latency, {summed("first_token")} AS first_token
    FROM usage_usagetouchpoint WHERE team_id = ANY(%(teams)s) AND day >= %(since)s AND day < %(until)s
    GROUP BY team_id, kind, subject, alias, model
) cut GROUP BY team_id, kind, subject"""  # noqa: S608


def usage_by_touchpoint(team_ids: list[uuid.UUID], since: dt.date, until: dt.date) -> list[tuple[Any, ...]]:
    """Return (team, kind, subject, last_at, requests, errors, refusals, cost, latency, first token, aliases, models).

    Sums are of the days from `since` until before `until`; histograms are JSON or None, the last two arrays of names.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, {"teams": team_ids, "since": since, "until": until})
        return list(cursor.fetchall())


def last_before(team_ids: list[uuid.UUID], since: dt.date) -> list[tuple[Any, ...]]:
    """Return (team, kind, subject, last_at) of what was used before that day, as far back as days are kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT team_id, kind, subject, max(last_at) FROM usage_usagetouchpoint"
            " WHERE team_id = ANY(%s) AND day < %s GROUP BY team_id, kind, subject",
            [team_ids, since],
        )
        return list(cursor.fetchall())


def marks(team_ids: list[uuid.UUID], since: dt.date, until: dt.date) -> dict[uuid.UUID, tuple[Any, ...]]:
    """Return what tells whether a call was added to these days of a team. Read from the index alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT team_id, count(*), max(last_at) FROM usage_usagetouchpoint"
            " WHERE team_id = ANY(%s) AND day >= %s AND day < %s GROUP BY team_id",
            [team_ids, since, until],
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}
