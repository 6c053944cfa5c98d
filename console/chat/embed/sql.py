"""Counting what visitors use, in one statement.

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
