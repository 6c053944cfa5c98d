"""Write audit records and advance the epoch.

The ORM would send every column of a wide table and could not let the database fill `tx`; and the epoch must move
in one statement, under its row lock, in the transaction of the change.
"""

from typing import Any

from django.db import connection  # noqa: TID251

Row = dict[str, Any]


def append(row: Row) -> None:
    """Insert one line with the columns given; the database fills the others and `tx`."""
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(["%s"] * len(row))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO audit_event ({names}) VALUES ({places})", list(row.values()))  # noqa: S608


def append_payloads(rows: list[tuple[Any, ...]]) -> None:
    """Insert contents of lines: (event_id, kind, body, bytes, sha256, is_cut, redactions)."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO audit_payload (event_id, kind, body, bytes, sha256, is_cut, redactions)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            rows,
        )


def move_epoch() -> int:
    """Raise the epoch by one and return it. Holds the row until commit, so changes take their turn."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_epoch SET value = value + 1 WHERE id = 1 RETURNING value")
        return int(cursor.fetchone()[0])


def hold_epoch() -> None:
    """Hold the epoch's row until commit, as `move_epoch` does, before anything is decided."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM audit_epoch WHERE id = 1 FOR NO KEY UPDATE")


def epoch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM audit_epoch WHERE id = 1")
        return int(cursor.fetchone()[0])
