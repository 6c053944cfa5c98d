"""Pruning, a few thousand rows at a time so that no lock is held for long.

The rows are chosen in an array, once: PostgreSQL may carry out a subquery with a limit again for each row of what it is
joined with, and delete more than the limit.
"""

import datetime as dt

from django.db import connection  # noqa: TID251


def prune_counters(window: str, before: dt.datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM usage_quotacounter WHERE ctid = ANY(ARRAY(
                SELECT c.ctid FROM usage_quotacounter c JOIN usage_quota q ON q.id = c.quota_id
                WHERE q."window" = %s AND c.period_start < %s AND c.reserved = 0 LIMIT %s
                FOR UPDATE OF c SKIP LOCKED))""",
            [window, before, limit],
        )
        return int(cursor.rowcount)


def prune_end_user_counters(window: str, before: dt.datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM usage_endusercounter WHERE ctid = ANY(ARRAY(
                SELECT c.ctid FROM usage_quota q JOIN usage_endusercounter c ON c.quota_id = q.id
                WHERE q.each_end_user AND q."window" = %s AND c.period_start < %s AND c.reserved = 0 LIMIT %s
                FOR UPDATE OF c SKIP LOCKED))""",
            [window, before, limit],
        )
        return int(cursor.rowcount)


def prune_alerts(before: dt.datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM usage_quotaalert WHERE id = ANY(ARRAY("
            "SELECT id FROM usage_quotaalert WHERE period_start < %s LIMIT %s))",
            [before, limit],
        )
        return int(cursor.rowcount)


def prune_hours(before: dt.datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM usage_usagehour WHERE id = ANY(ARRAY("
            "SELECT id FROM usage_usagehour WHERE hour < %s LIMIT %s))",
            [before, limit],
        )
        return int(cursor.rowcount)


def prune_end_users(before: dt.date, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM usage_usageenduser WHERE id = ANY(ARRAY("
            "SELECT id FROM usage_usageenduser WHERE month < %s LIMIT %s))",
            [before, limit],
        )
        return int(cursor.rowcount)


def prune_labels(before: dt.date, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM usage_usagelabel WHERE id = ANY(ARRAY("
            "SELECT id FROM usage_usagelabel WHERE month < %s LIMIT %s))",
            [before, limit],
        )
        return int(cursor.rowcount)


def prune_touchpoints(before: dt.datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM usage_usagetouchpoint WHERE id = ANY(ARRAY("
            "SELECT id FROM usage_usagetouchpoint WHERE day < %s LIMIT %s))",
            [before.date(), limit],
        )
        return int(cursor.rowcount)
