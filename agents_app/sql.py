"""SQL of runs: what a worker checks before each step, in one round trip instead of two."""

import datetime as dt
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


# Enough to tell how long runs of an agent take at present, and never more than that is read of any.
_RUNS_LOOKED_AT = 200


def run_durations(
    agent_ids: list[uuid.UUID], team_ids: list[uuid.UUID], since: dt.datetime
) -> dict[uuid.UUID, tuple[int, int]]:
    """Return p50 and p95 of the newest runs of each agent, in microseconds, as far as these teams paid for them.

    Runs that waited for a person say nothing of how fast an agent is, and are left out. The ORM has no way to look at
    the newest few of each; the index by agent makes it as many short reads as there are agents.
    """
    statement = """
        SELECT a.id, percentile_cont(0.5) WITHIN GROUP (ORDER BY r.took),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY r.took)
        FROM unnest(%(agents)s::uuid[]) AS a(id)
        CROSS JOIN LATERAL (
            SELECT extract(epoch FROM run.ended_at - run.created_at) * 1000000 AS took FROM agents_run run
            WHERE run.agent_id = a.id AND run.created_at >= %(since)s AND run.state IN ('succeeded', 'failed')
              AND run.team_id = ANY(%(teams)s) AND NOT run.is_simulated AND run.trigger <> 'try_out'
              AND NOT EXISTS (SELECT FROM agents_approval asked WHERE asked.run_id = run.id)
            ORDER BY run.created_at DESC LIMIT %(most)s
        ) AS r GROUP BY a.id"""
    given: dict[str, Any] = {"agents": agent_ids, "teams": team_ids, "since": since, "most": _RUNS_LOOKED_AT}
    if not agent_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return {pk: (round(p50), round(p95)) for pk, p50, p95 in cursor.fetchall()}
