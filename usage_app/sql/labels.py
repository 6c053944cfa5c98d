"""Roll up calls by the values of their metadata, within a limit of distinct values."""

from typing import Any

from usage_app.sql.calls import FAILED, NOT_CALLS, REFUSED

# What a team's month has at most. A label may be another one with each call, such as the id of a request: what comes
# later is counted with its name alone, or not at all, and never stands in the way of the others.
MOST_NAMES = 50
MOST_VALUES = 1_000

_SUMS = ("requests", "errors", "refusals", "prompt_tokens", "completion_tokens", "cost_micros")
_ALL = ", ".join(_SUMS)
_ORDER = "x.cost_micros DESC, x.requests DESC"

# `said` has a row of each pair, and one of each name, without a value. Those that have a row already are added to it;
# of the others the dearest find room.
_LABELS = f"""
WITH said AS MATERIALIZED (
    SELECT date_trunc('month', e.at AT TIME ZONE 'UTC')::date AS month, e.team_id, left(p.name, 64) AS name,
           coalesce(left(p.value, 512), '') AS value, count(*) AS requests,
           count(*) FILTER (WHERE {FAILED}) AS errors, count(*) FILTER (WHERE {REFUSED}) AS refusals,
           sum(e.prompt_tokens) AS prompt_tokens, sum(e.completion_tokens) AS completion_tokens,
           sum(e.cost_micros) AS cost_micros
    FROM audit_event e CROSS JOIN LATERAL jsonb_each_text(e.metadata) p(name, value)
    WHERE e.tx >= %(from_tx)s AND e.tx < %(to_tx)s AND e.metadata IS NOT NULL AND p.value <> ''
      AND e.team_id IS NOT NULL AND e.type NOT IN {NOT_CALLS}
    GROUP BY 1, 2, 3, GROUPING SETS ((left(p.value, 512)), ())
),
there AS MATERIALIZED (
    SELECT t.team_id, t.month, t.name, t.values_kept, count(*) OVER (PARTITION BY t.team_id, t.month) AS names
    FROM usage_usagelabel t
    JOIN (SELECT DISTINCT team_id, month FROM said) m ON m.team_id = t.team_id AND m.month = t.month
    WHERE t.value = ''
),
named AS (
    SELECT x.*, t.values_kept,
           coalesce((SELECT max(names) FROM there n WHERE n.team_id = x.team_id AND n.month = x.month), 0)
           + row_number() OVER (PARTITION BY x.team_id, x.month, t.name IS NULL ORDER BY {_ORDER}, x.name) AS place
    FROM said x LEFT JOIN there t ON t.team_id = x.team_id AND t.month = x.month AND t.name = x.name
    WHERE x.value = ''
),
names AS MATERIALIZED (SELECT * FROM named WHERE values_kept IS NOT NULL OR place <= %(names)s),
valued AS (
    SELECT x.*, t.id IS NOT NULL AS is_there, coalesce(n.values_kept, 0) + row_number() OVER (
               PARTITION BY x.team_id, x.month, x.name, t.id IS NULL ORDER BY {_ORDER}, x.value) AS place
    FROM said x JOIN names n ON n.team_id = x.team_id AND n.month = x.month AND n.name = x.name
    LEFT JOIN usage_usagelabel t
      ON t.team_id = x.team_id AND t.month = x.month AND t.value = x.value AND t.name = x.name
    WHERE x.value <> ''
),
pairs AS MATERIALIZED (SELECT * FROM valued WHERE is_there OR place <= %(values)s)
INSERT INTO usage_usagelabel AS t (month, team_id, name, value, values_kept, {_ALL})
SELECT month, team_id, name, value, 0, {_ALL} FROM pairs
UNION ALL
SELECT month, team_id, name, '', (SELECT count(*) FROM pairs p WHERE NOT p.is_there AND p.team_id = n.team_id
                                  AND p.month = n.month AND p.name = n.name), {_ALL} FROM names n
ON CONFLICT (team_id, month, value, name) DO UPDATE SET values_kept = t.values_kept + excluded.values_kept,
{", ".join(f"{name} = t.{name} + excluded.{name}" for name in _SUMS)}
"""  # noqa: S608


def add_labels(cursor: Any, from_tx: int, to_tx: int) -> None:
    """Add the calls of these transactions to the months of what they were for."""
    given = {"from_tx": from_tx, "to_tx": to_tx, "names": MOST_NAMES, "values": MOST_VALUES}
    cursor.execute(_LABELS, given)
