"""Create and drop monthly partitions, through functions with the owner's rights."""

import datetime as dt

from django.db import connection  # noqa: TID251


def make_month(moment: dt.datetime) -> bool:
    """Make the month's partitions; False when they are there already."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_make_month(%s)", [moment])
        return bool(cursor.fetchone()[0])


def months(parent: str) -> list[dt.date]:
    """Return the months `parent` has partitions for, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_date(right(c.relname, 7), 'YYYY_MM') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$' ORDER BY 1",
            [parent],
        )
        return [row[0] for row in cursor]


def drop_month(parent: str, month: dt.date, keep_days: int, read_to: int) -> str:
    """Drop one whole month and return an empty text, or return why not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_drop_month(%s, %s, %s, %s)", [parent, month, keep_days, read_to])
        return str(cursor.fetchone()[0])


def count_estimate(parent: str, month: dt.date) -> int:
    """Return about how many rows a month has, as the last analysis counted them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [f"{parent}_{month:%Y_%m}"]
        )
        row = cursor.fetchone()
        return max(int(row[0]), 0) if row else 0


def stray_months() -> list[dt.datetime]:
    """Return the months of which rows lie in the default partitions because nobody made them in time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT date_trunc('month', to_timestamp(
                ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC')
            FROM (SELECT id FROM audit_event_rest UNION ALL SELECT event_id FROM audit_payload_rest) r LIMIT 120"""
        )
        return [row[0] for row in cursor]
