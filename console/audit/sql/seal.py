"""Seal and verify blocks. Digests are computed in the database, so only one hash travels."""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import connection  # noqa: TID251

_LOCK = 7205759403792793601


@dataclass(frozen=True, slots=True)
class Checked:
    """One block as it was sealed, beside what its rows say now."""

    number: int
    from_tx: int
    to_tx: int
    rows: int
    previous: bytes
    sha256: bytes
    first_id: uuid.UUID
    last_id: uuid.UUID
    rows_now: int
    sha256_now: bytes
    is_dropped: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored input or output that is not what its record says."""

    event_id: uuid.UUID
    tx: int
    kind: str
    what: str


def take_lock() -> bool:
    """Be the only one who seals until the end of the transaction; False when somebody else is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def horizon() -> tuple[int, dt.datetime]:
    """Return the transaction number below which everything is finished, and the moment up to which that is so."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_horizon(), least(statement_timestamp(), (SELECT min(xact_start) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()))"
        )
        number, moment = cursor.fetchone()
        return int(number), moment


def count_rows(from_tx: int, to_tx: int, most: int) -> int:
    """Return how many rows there are in the range, at most `most`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM audit_event WHERE tx >= %s AND tx < %s LIMIT %s) few",
            [from_tx, to_tx, most],
        )
        return int(cursor.fetchone()[0])


def write_block(number: int, previous: bytes, from_tx: int, to_tx: int, at: dt.datetime) -> int:
    """Seal all rows of the range as one block and return how many they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO audit_seal
                (number, from_tx, to_tx, rows, first_id, last_id, previous, sha256, sealed_at, format)
            SELECT %(number)s, %(from)s, %(to)s, count(*), min(id::text)::uuid, max(id::text)::uuid, %(previous)s,
                   audit_block_hash(%(previous)s, %(number)s, %(from)s, %(to)s, count(*),
                                    coalesce(string_agg(digest, ''::bytea ORDER BY tx, id), ''::bytea)), %(at)s, 1
            FROM (SELECT tx, id, audit_digest_1(e) AS digest FROM audit_event e
                  WHERE tx >= %(from)s AND tx < %(to)s) rows
            RETURNING rows""",
            {"number": number, "from": from_tx, "to": to_tx, "previous": previous, "at": at},
        )
        return int(cursor.fetchone()[0])


def check_blocks(first: int, last: int) -> list[Checked]:
    """Digest the rows of the blocks again, in one pass over them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH s AS MATERIALIZED (SELECT * FROM audit_seal WHERE number BETWEEN %(first)s AND %(last)s),
            starts AS MATERIALIZED (SELECT array_agg(from_tx ORDER BY from_tx) AS of FROM s),
            r AS (
                SELECT width_bucket(tx, (SELECT of FROM starts)) AS place, count(*) AS n,
                       string_agg(digest, ''::bytea ORDER BY tx, id) AS digests
                FROM (SELECT tx, id, audit_digest_1(e) AS digest FROM audit_event e
                      WHERE tx >= (SELECT min(from_tx) FROM s) AND tx < (SELECT max(to_tx) FROM s)) rows
                GROUP BY 1
            )
            SELECT s.number, s.from_tx, s.to_tx, s.rows, s.previous, s.sha256, s.first_id, s.last_id, coalesce(r.n, 0),
                   audit_block_hash(s.previous, s.number, s.from_tx, s.to_tx, coalesce(r.n, 0),
                                    coalesce(r.digests, ''::bytea)),
                   EXISTS (SELECT 1 FROM audit_dropped d
                           WHERE d.part LIKE 'audit\\_event%%' AND s.first_id < d.until_id)
            FROM s LEFT JOIN r ON r.place = array_position((SELECT of FROM starts), s.from_tx)
            ORDER BY s.number""",
            {"first": first, "last": last},
        )
        return [Checked(*row) for row in cursor]


def check_content(from_tx: int, to_tx: int) -> list[Difference]:
    """Compare stored inputs and outputs with the digests in their records, where content is still kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.id, e.tx, k.kind,
                   CASE WHEN p.body IS NULL THEN 'is missing'
                        WHEN k.digest IS NULL THEN 'was added' ELSE 'was changed' END
            FROM audit_event e
            CROSS JOIN LATERAL (VALUES ('input', e.input_sha256), ('output', e.output_sha256)) k(kind, digest)
            LEFT JOIN audit_payload p ON p.event_id = e.id AND p.kind = k.kind
            WHERE e.tx >= %s AND e.tx < %s
              AND k.digest IS DISTINCT FROM sha256(convert_to(p.body, 'UTF8'))
              AND NOT EXISTS (SELECT 1 FROM audit_dropped d WHERE e.id < d.until_id)
            ORDER BY e.id, k.kind LIMIT 1000""",
            [from_tx, to_tx],
        )
        return [Difference(*row) for row in cursor]
