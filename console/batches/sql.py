"""SQL of batches: many lines at once, as arrays.

The ORM makes an expression of every value it writes. For a batch's lines that was most of what a worker did: a batch of
500 took three times as long, and checking a file of 100,000 twice as long.
"""

import uuid
from typing import NamedTuple

from django.db import connection  # noqa: TID251


class NewLine(NamedTuple):
    """Where a line stands in its file, and what its caller calls it."""

    number: int
    custom_id: str
    offset: int
    length: int


class Outcome(NamedTuple):
    """What becomes of a line that was sent. `wait`: seconds until it may be sent again."""

    id: int
    state: str
    fence: int
    attempts: int
    wait: float | None = None
    status_code: int | None = None
    error_code: str = ""
    error_message: str = ""
    result: str = ""


def add_lines(batch: uuid.UUID, lines: list[NewLine]) -> None:
    """Write the lines of a file that was read, waiting to be sent."""
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO batches_line (batch_id, number, custom_id, "offset", length,'
            " state, fence, attempts, error_code, error_message, result)"
            " SELECT %s, x.number, x.custom_id, x.start, x.length, 'pending', 0, 0, '', '', ''"
            " FROM unnest(%s::integer[], %s::text[], %s::bigint[], %s::integer[]) x(number, custom_id, start, length)",
            [batch, *map(list, zip(*lines, strict=True))],
        )


def mark_sent(requests: dict[int, uuid.UUID], *, fence: int) -> None:
    """Mark lines as sent, each with the id of the request it is about to be."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE batches_line l SET state = 'sent', request_id = x.request, fence = %s"
            " FROM unnest(%s::bigint[], %s::uuid[]) x(id, request) WHERE l.id = x.id",
            [fence, list(requests), list(requests.values())],
        )


def write_outcomes(outcomes: list[Outcome]) -> None:
    """Write what became of lines; those that are over get their time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE batches_line l SET state = x.state, fence = x.fence, attempts = x.attempts,"
            " not_before = statement_timestamp() + x.wait * interval '1 second', status_code = x.status_code,"
            " error_code = x.error_code, error_message = x.error_message, result = x.result,"
            " finished_at = CASE WHEN x.state IN ('done', 'failed') THEN statement_timestamp() END"
            " FROM unnest(%s::bigint[], %s::text[], %s::integer[], %s::smallint[], %s::float8[], %s::smallint[],"
            " %s::text[], %s::text[], %s::text[])"
            " x(id, state, fence, attempts, wait, status_code, error_code, error_message, result) WHERE l.id = x.id",
            list(map(list, zip(*outcomes, strict=True))),
        )
