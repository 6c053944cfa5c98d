"""Plain SQL of keys: one subquery, so that every page's navigation asks no question more."""

import uuid
from collections.abc import Collection

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
