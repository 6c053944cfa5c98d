"""Count visitors' usage, and release what lost answers reserved, in one statement each.

Not the ORM: a limit that is read and then written lets two through at once, and the ORM's upsert cannot refuse.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection  # noqa: TID251


class Use(NamedTuple):
    """So much of one limit, by one subject, in the period that begins then."""

    name: str
    subject: str
    period_start: dt.datetime
    amount: int
    most: int


_USE = """
WITH wanted AS (
  SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[])
    x(name, subject, period_start, amount, most)
)
INSERT INTO chat_allowance AS a (widget_id, name, subject, period_start, used)
SELECT %s, name, subject, period_start, amount FROM wanted WHERE amount <= most ORDER BY name
ON CONFLICT (widget_id, name, subject, period_start) DO UPDATE SET used = a.used + excluded.used
  WHERE a.used + excluded.used <= (SELECT most FROM wanted WHERE name = excluded.name)
RETURNING name
"""


def use(widget_id: uuid.UUID, uses: Sequence[Use]) -> set[str]:
    """Count uses of several limits, each named once; return the names of those that had room.

    The rows stay locked until the transaction ends, so the last unit is given once. Whoever finds a name missing rolls
    back: nothing is counted of what is refused.
    """
    columns = [list(column) for column in zip(*uses, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_USE, [*columns, widget_id])
        return {row[0] for row in cursor.fetchall()}


# What the log says of a call is what its answer came to. One it says nothing of for long was never begun. Rows of
# allowances are taken in the order of their names, as where they are used; and what an answer's end just takes is left
# to it.
_GIVE_BACK = """
WITH lost AS (
  SELECT h.message_id, h.name, h.amount - coalesce(
      CASE WHEN h.name = 'tokens_day' THEN e.prompt_tokens + e.completion_tokens ELSE e.cost_micros END, 0) AS amount
  FROM chat_held h JOIN chat_message m ON m.id = h.message_id LEFT JOIN audit_event e ON e.id = m.request_id
  WHERE m.status <> 'writing' AND m.ended_at < CASE WHEN e.id IS NULL THEN %s::timestamptz ELSE %s END
  FOR UPDATE OF h SKIP LOCKED
), gone AS (
  DELETE FROM chat_held h USING lost l WHERE (h.message_id, h.name) = (l.message_id, l.name)
  RETURNING h.widget_id, h.name, h.subject, h.period_start, l.amount
), back AS (
  SELECT widget_id, name, subject, period_start, sum(amount)::bigint AS amount FROM gone GROUP BY 1, 2, 3, 4
), locked AS (
  SELECT a.widget_id, a.name, a.subject, a.period_start, b.amount
  FROM back b JOIN chat_allowance a USING (widget_id, name, subject, period_start)
  ORDER BY a.name, a.widget_id, a.subject, a.period_start FOR UPDATE OF a
), given AS (
  UPDATE chat_allowance a SET used = greatest(0, a.used - l.amount) FROM locked l
  WHERE (a.widget_id, a.name, a.subject, a.period_start) = (l.widget_id, l.name, l.subject, l.period_start)
)
SELECT count(*) FROM gone
"""


def give_back(*, logged: dt.datetime, unknown: dt.datetime) -> int:
    """Settle what is held for answers that ended before then, by whether the log knows them; return how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_BACK, [unknown, logged])
        return int(cursor.fetchone()[0])
