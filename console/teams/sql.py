"""SQL of what every page asks before it does anything, and of keys.

The ORM takes several times as long to build these queries as the database takes to answer them.
"""

import datetime as dt
import uuid
from collections.abc import Collection

from django.db import connection  # noqa: TID251
from django.db.models.expressions import RawSQL

from console.core.clock import now


def keys_answered_for(person_id: uuid.UUID, teams: Collection[uuid.UUID]) -> RawSQL:
    """Return the ids of the keys of these teams that a person answers for by now, for `__in`.

    Those are theirs that are still good, and those that were rotated into one of these: what `lineage.answering_for`
    finds from the other end. The ORM cannot follow a line of rotations.
    """
    return RawSQL(
        """
        WITH RECURSIVE answered(id) AS (
            SELECT id FROM teams_apikey
            WHERE owner_id = %s AND team_id = ANY(%s) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %s)
            UNION
            SELECT older.id FROM teams_apikey older JOIN answered ON older.replaced_by_id = answered.id)
        SELECT id FROM answered""",
        [person_id, list(teams), now()],
    )


def rights_given(user_id: uuid.UUID, content_type_id: int) -> list[tuple[str, str]]:
    """Return guardian's rows of a person on objects of a kind: the object's id as it keeps it, and the right."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT given.object_pk, permission.codename FROM guardian_userobjectpermission given
            JOIN auth_permission permission ON permission.id = given.permission_id
            WHERE given.user_id = %s AND given.content_type_id = %s""",
            [user_id, content_type_id],
        )
        return list(cursor.fetchall())


def is_required_two_factor(user_id: uuid.UUID) -> bool:
    """Return whether a team that is not archived requires a second factor of the person."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT 1 FROM teams_membership member JOIN teams_team team ON team.id = member.team_id
            WHERE member.user_id = %s AND team.requires_two_factor AND team.archived_at IS NULL LIMIT 1""",
            [user_id],
        )
        return cursor.fetchone() is not None


def session_data(key: str) -> str | None:
    """Return what a session that has not ended holds, encoded; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s", [key, now()]
        )
        row = cursor.fetchone()
    return None if row is None else str(row[0])


def insert_session(key: str, data: str, ends_at: dt.datetime) -> bool:
    """Write a new session down; False where the key is taken."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_session (session_key, session_data, expire_date) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [key, data, ends_at],
        )
        return bool(cursor.rowcount == 1)


def update_session(key: str, data: str, ends_at: dt.datetime) -> bool:
    """Store what a session holds now; False where it is gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_session SET session_data = %s, expire_date = %s WHERE session_key = %s", [data, ends_at, key]
        )
        return bool(cursor.rowcount == 1)
