"""The end users with the highest cost, however many there are."""

import datetime as dt
import uuid
from typing import Any

from django.db import connection  # noqa: TID251

_DEAREST = """
SELECT u.team_id, u.{column}, u.requests, u.errors, u.refusals, u.prompt_tokens, u.completion_tokens, u.cost_micros
FROM unnest(%(teams)s::uuid[]) t(team_id) CROSS JOIN LATERAL (
    SELECT * FROM {table} e
    WHERE e.team_id = t.team_id AND e.month = %(month)s AND e.{column} <> '' {only}
    ORDER BY e.cost_micros DESC, e.requests DESC, e.{column} LIMIT %(most)s
) u
ORDER BY u.cost_micros DESC, u.requests DESC, u.{column}, u.team_id LIMIT %(most)s"""
_END_USERS = _DEAREST.format(table="usage_usageenduser", column="end_user", only="")
_VALUES = _DEAREST.format(table="usage_usagelabel", column="value", only="AND e.name = %(label)s")


def dearest(team_ids: list[uuid.UUID], month: dt.date, most: int, label: str = "") -> list[tuple[Any, ...]]:
    """Return (team, name, requests, errors, refusals, prompt and completion tokens, cost), the dearest first.

    Those are end users, or the values of a label. Each team's are read in the order of the index and merged, which the
    ORM cannot say: a million that are not shown are not read.
    """
    with connection.cursor() as cursor:
        given: dict[str, Any] = {"teams": team_ids, "month": month, "most": most, "label": label}
        cursor.execute(_VALUES if label else _END_USERS, given)
        return list(cursor.fetchall())
