"""Figures of single places where AI is used, from their days and never from the log."""

import datetime as dt
import uuid
from typing import Any

from django.db import connection  # noqa: TID251

from usage_app.sql.figures import summed


def usage_by_touchpoint(team_ids: list[uuid.UUID], since: dt.date) -> list[tuple[Any, ...]]:
    """Return (kind, subject, last_at, requests, errors, refusals, cost, latency, first token, aliases, models).

    Sums are since that day; the last two are arrays of names. What was last used before it has nothing but `last_at`.
    Histograms are summed in the database: fetched row by row, a month of a busy installation would be megabytes.
    """
    statement = f"""
    WITH lately AS (
        SELECT kind, subject, sum(requests)::bigint AS requests, sum(errors)::bigint AS errors,
               sum(refusals)::bigint AS refusals, sum(cost_micros)::bigint AS cost,
               {summed("latency")} AS latency, {summed("first_token")} AS first_token,
               array_agg(DISTINCT alias) FILTER (WHERE alias <> '') AS aliases,
               array_agg(DISTINCT model) FILTER (WHERE model <> '') AS models
        FROM usage_usagetouchpoint WHERE team_id = ANY(%(teams)s) AND day >= %(since)s GROUP BY kind, subject
    ), ever AS (
        SELECT kind, subject, max(last_at) AS last_at
        FROM usage_usagetouchpoint WHERE team_id = ANY(%(teams)s) GROUP BY kind, subject
    )
    SELECT kind, subject, last_at, coalesce(requests, 0), coalesce(errors, 0), coalesce(refusals, 0), coalesce(cost, 0),
           coalesce(latency, ARRAY[]::bigint[]), coalesce(first_token, ARRAY[]::bigint[]),
           coalesce(aliases, ARRAY[]::varchar[]), coalesce(models, ARRAY[]::varchar[])
    FROM ever LEFT JOIN lately USING (kind, subject)"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, {"teams": team_ids, "since": since})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
