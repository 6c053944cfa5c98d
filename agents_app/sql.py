"""Plain SQL of runs: what a worker asks before each of its steps, in one trip instead of two."""

import uuid
from typing import Any

from django.db import connection  # noqa: TID251

# What a worker must know of its run before each step, as it stands in the row.
COUNTED = (
    "state", "trouble", "steps_done", "model_calls", "tool_calls", "tokens", "cost_micros", "ends_by", "started_at",
    "waiting_since",
)  # fmt: skip


def renew(run_id: uuid.UUID, fence: int, seconds: float) -> dict[str, Any] | None:
    """Extend the lease of a run's worker and return what the row says, by COUNTED; None when it is another's, or over.

    The ORM takes an update and a read for it, once for every step of every run.
    """
    statement = f"""
        UPDATE agents_run SET lease_until = statement_timestamp() + make_interval(secs => %s)
        WHERE id = %s AND fence = %s AND state NOT IN ('succeeded', 'failed', 'cancelled')
        RETURNING {", ".join(COUNTED)}"""  # noqa: S608 - names of columns, written above
    with connection.cursor() as cursor:
        cursor.execute(statement, [seconds, run_id, fence])
        row = cursor.fetchone()
    return dict(zip(COUNTED, row, strict=True)) if row else None
