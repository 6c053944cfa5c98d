"""What is open at this moment. The record of an open call is text, which the ORM would read as jsonb: that refuses
NUL characters, and a client may send them.
"""

import uuid

from django.db import connection  # noqa: TID251


def calls_in_flight(team_ids: list[uuid.UUID] | None) -> list[tuple[str, int, int]]:
    """Return per lane how many calls are open, and how many of those their process has not been heard of in time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(record::json ->> 'lane', ''), count(*), count(*) FILTER (WHERE expires_at < now())
            FROM usage_reservation WHERE %(teams)s::uuid[] IS NULL OR team_id = ANY(%(teams)s) GROUP BY 1""",
            {"teams": team_ids},
        )
        return [(str(lane), int(count), int(late)) for lane, count, late in cursor.fetchall()]
