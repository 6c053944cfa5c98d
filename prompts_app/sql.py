"""Plain SQL of the library: sums over the log, which the ORM would fetch row by row.

The log names what took part in a call as JSON in one column; only the database can take that apart and sum it in place.
"""

import datetime as dt

from django.db import connection  # noqa: TID251

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

_COUNT_CALLS = """
WITH total AS (
    SELECT prompt_id, sum(calls)::int AS calls FROM prompts_promptuse WHERE day >= %s GROUP BY prompt_id
)
UPDATE prompts_prompt p SET calls = coalesce(t.calls, 0)
FROM prompts_prompt same LEFT JOIN total t ON t.prompt_id = same.id
WHERE p.id = same.id AND p.deleted_at IS NULL AND p.calls <> coalesce(t.calls, 0)
"""


def add_uses(from_tx: int, to_tx: int) -> int:
    """Add the calls of these transactions to the uses of every prompt that took part, by surface and by key.

    Returns how many rows by surface changed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ADD_KEYS, [from_tx, to_tx])
        cursor.execute(_ADD_USES, [from_tx, to_tx])
        return int(cursor.rowcount)


def count_calls(since: dt.date) -> int:
    """Bring each prompt's `calls` to what its uses since that day say; writes only those that differ."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_CALLS, [since])
        return int(cursor.rowcount)
