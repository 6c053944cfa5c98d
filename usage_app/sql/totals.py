"""Histograms of durations since the first call, for scrapes."""

import uuid
from typing import Any

from django.db import connection  # noqa: TID251

from console.core.histogram import OCTAVES
from console.core.histogram_sql import summed_exactly
from usage_app.sql.calls import NOT_CALLS

_DURATIONS = f"""
SELECT environment, type, lane, model, sum(latency_us)::bigint, {summed_exactly("latency", OCTAVES)},
       sum(first_token_us)::bigint, {summed_exactly("first_token", OCTAVES)}
FROM usage_usagetotal
WHERE type NOT IN {NOT_CALLS} AND status <> 'refused' AND (%(teams)s::uuid[] IS NULL OR team_id = ANY(%(teams)s))
GROUP BY environment, type, lane, model ORDER BY min(id)"""  # noqa: S608


def durations(team_ids: list[uuid.UUID] | None) -> list[tuple[Any, ...]]:
    """Return (environment, type, lane, model, latency, its octaves, first token, its octaves), the oldest cut first.

    The ORM adds no arrays up place by place.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DURATIONS, {"teams": team_ids})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
