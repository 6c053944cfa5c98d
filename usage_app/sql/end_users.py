"""Whose calls cost most, of as many end users as there may be."""

import datetime as dt
import uuid
from typing import Any

from django.db import connection  # noqa: TID251

_DEAREST = """
SELECT u.team_id, u.end_user, u.requests, u.errors, u.refusals, u.prompt_tokens, u.completion_tokens, u.cost_micros
FROM unnest(%(teams)s::uuid[]) t(team_id) CROSS JOIN LATERAL (
    SELECT * FROM usage_usageenduser e
    WHERE e.team_id = t.team_id AND e.month = %(month)s AND e.end_user <> ''
    ORDER BY e.cost_micros DESC, e.requests DESC, e.end_user LIMIT %(most)s
) u
ORDER BY u.cost_micros DESC, u.requests DESC, u.end_user, u.team_id LIMIT %(most)s"""


def dearest(team_ids: list[uuid.UUID], month: dt.date, most: int) -> list[tuple[Any, ...]]:
    """Return (team, end user, requests, errors, refusals, prompt and completion tokens, cost), the dearest first.

    Each team's are read in the order of the index and merged, which the ORM cannot say: a million that are not shown
    are not read.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DEAREST, {"teams": team_ids, "month": month, "most": most})
        return list(cursor.fetchall())
