"""SQL of the library: sums over the log, which the ORM would fetch row by row.

The log names what took part in a call as JSON in one column; only the database can take that apart and sum it in place.
"""

import datetime as dt
import uuid
from typing import Any

from django.db import connection  # noqa: TID251

from console.core.histogram import BOUNDS
from console.core.histogram_sql import added, counted, counts, summed

# Surfaces on which a prompt is tried, not used: nobody misses it there.
TRIALS = frozenset({"playground", "evaluation"})

_ADD_USES = """
INSERT INTO prompts_promptuse (prompt_id, day, surface, number, calls)
SELECT p.id, (e.at AT TIME ZONE 'UTC')::date, left(e.surface, 20), (part ->> 'number')::int, count(*)
FROM audit_event e
CROSS JOIN LATERAL jsonb_array_elements(e.prompt::jsonb) part
JOIN prompts_prompt p ON p.slug = part ->> 'slug' AND p.deleted_at IS NULL
WHERE e.tx >= %s AND e.tx < %s AND e.prompt LIKE '[{"slug"%%' AND e.status <> 'refused'
GROUP BY 1, 2, 3, 4
ON CONFLICT (prompt_id, day, surface, number) DO UPDATE SET calls = prompts_promptuse.calls + excluded.calls
"""

_ADD_KEYS = """
INSERT INTO prompts_promptkeyuse (prompt_id, day, key_id, key, team_id, team, calls)
SELECT p.id, (e.at AT TIME ZONE 'UTC')::date, e.key_id, left(max(e.key), 100), (array_agg(e.team_id))[1],
    left(max(e.team), 200), count(*)
FROM audit_event e
CROSS JOIN LATERAL jsonb_array_elements(e.prompt::jsonb) part
JOIN prompts_prompt p ON p.slug = part ->> 'slug' AND p.deleted_at IS NULL
WHERE e.tx >= %s AND e.tx < %s AND e.prompt LIKE '[{"slug"%%' AND e.status <> 'refused' AND e.key_id IS NOT NULL
GROUP BY 1, 2, 3
ON CONFLICT (prompt_id, day, key_id) DO UPDATE
SET calls = prompts_promptkeyuse.calls + excluded.calls, key = excluded.key, team = excluded.team
"""

_CUT = "prompt_id, environment, day, number, team_id"
_SUMS = ("calls", "errors", "prompt_tokens", "completion_tokens", "cost_micros")

# The prompt a call named stands first; the partials in it are no versions somebody decided between.
_ADD_FIGURES = f"""
WITH grouped AS (
    SELECT p.id AS prompt_id, left(e.environment, 10) AS environment, (e.at AT TIME ZONE 'UTC')::date AS day,
           (named.part ->> 'number')::int AS number, e.team_id, width_bucket(e.latency_us, %(bounds)s::bigint[]) AS lb,
           count(*) AS n, count(*) AS calls,
           count(*) FILTER (WHERE e.status IN ('error', 'interrupted')) AS errors,
           sum(e.prompt_tokens) AS prompt_tokens, sum(e.completion_tokens) AS completion_tokens,
           sum(e.cost_micros) AS cost_micros
    FROM audit_event e
    CROSS JOIN LATERAL (SELECT e.prompt::jsonb -> 0 AS part) named
    JOIN prompts_prompt p ON p.slug = named.part ->> 'slug' AND p.deleted_at IS NULL
    WHERE e.tx >= %(from_tx)s AND e.tx < %(to_tx)s AND e.prompt LIKE '[{{"slug"%%' AND e.status <> 'refused'
      AND e.team_id IS NOT NULL AND e.type <> 'shadow' AND NOT e.surface = ANY(%(trials)s)
    GROUP BY 1, 2, 3, 4, 5, 6
)
INSERT INTO prompts_versionday AS t ({_CUT}, {", ".join(_SUMS)}, latency)
SELECT {_CUT}, {", ".join(f"sum({name})" for name in _SUMS)}, {counted("lb")} FROM grouped GROUP BY {_CUT}
ON CONFLICT ({_CUT}) DO UPDATE SET {added(_SUMS, ("latency",))}
"""  # noqa: S608

_RATED = ("good", "bad", "scored", "score")
_ADD_RATINGS = f"""
INSERT INTO prompts_versionrating AS t ({_CUT}, {", ".join(_RATED)}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT ({_CUT}) DO UPDATE SET {added(_RATED, ())}
"""  # noqa: S608

_OF_VERSIONS = """prompt_id = %(prompt)s AND environment = %(environment)s AND day >= %(since)s
      AND (%(teams)s::uuid[] IS NULL OR team_id = ANY(%(teams)s))"""
_FIGURES = f"""
SELECT number, sum(calls)::bigint, sum(errors)::bigint, sum(prompt_tokens)::bigint, sum(completion_tokens)::bigint,
       sum(cost_micros)::bigint, {counts(summed("latency"))}
FROM prompts_versionday WHERE {_OF_VERSIONS} GROUP BY number"""  # noqa: S608
_RATINGS = f"""
SELECT number, sum(good)::bigint, sum(bad)::bigint, sum(scored)::bigint, sum(score)
FROM prompts_versionrating WHERE {_OF_VERSIONS} GROUP BY number"""  # noqa: S608

_COUNT_CALLS = """
WITH total AS (
    SELECT prompt_id, sum(calls)::int AS calls FROM prompts_promptuse WHERE day >= %s GROUP BY prompt_id
)
UPDATE prompts_prompt p SET calls = coalesce(t.calls, 0)
FROM prompts_prompt same LEFT JOIN total t ON t.prompt_id = same.id
WHERE p.id = same.id AND p.deleted_at IS NULL AND p.calls <> coalesce(t.calls, 0)
"""


def add_uses(from_tx: int, to_tx: int) -> int:
    """Add the calls of these transactions to the uses of every prompt that took part, and to the figures of versions.

    Returns how many rows by surface changed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ADD_KEYS, [from_tx, to_tx])
        cursor.execute(
            _ADD_FIGURES, {"from_tx": from_tx, "to_tx": to_tx, "bounds": list(BOUNDS), "trials": list(TRIALS)}
        )
        cursor.execute(_ADD_USES, [from_tx, to_tx])
        return int(cursor.rowcount)


def add_ratings(cut: tuple[Any, ...], sums: tuple[Any, ...]) -> None:
    """Add to what was said of a version: (prompt, environment, day, number, team) and (good, bad, scored, score)."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD_RATINGS, [*cut, *sums])


def figures_of_versions(
    prompt_id: uuid.UUID, environment: str, since: dt.date, teams: list[uuid.UUID] | None
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return by version's number (calls, errors, tokens in, out, cost, histogram), and (good, bad, scored, score).

    Of the calls of these teams since that day; None means all teams.
    """
    parameters: dict[str, Any] = {"prompt": prompt_id, "environment": environment, "since": since, "teams": teams}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, parameters)
        figures = cursor.fetchall()
        cursor.execute(_RATINGS, parameters)
        return figures, cursor.fetchall()


def count_calls(since: dt.date) -> int:
    """Bring each prompt's `calls` to what its uses since that day say; writes only those that differ."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_CALLS, [since])
        return int(cursor.rowcount)
