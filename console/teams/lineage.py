"""The lineage of rotated keys: what one key created belongs to its successors, too.

Work that outlives its request is done on behalf of the key that began it, as long as that key is valid. After the
overlap of a rotation its successor takes over, with its own limits and rights. A key that was revoked, or rotated
without overlap, has no successor for running work: whoever does that wants it to end.
"""

import uuid
from collections.abc import Collection, Mapping

from django.db.models import Q

from console.core.clock import now
from console.teams.models import ApiKey


def older_of(teams: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Return which key each key of these teams replaced."""
    rotated = ApiKey.objects.filter(team__in=teams, replaced_by__isnull=False).order_by()
    return {new: old for old, new in rotated.values_list("pk", "replaced_by_id") if new is not None}


def chain_of(key_id: uuid.UUID, older: Mapping[uuid.UUID, uuid.UUID]) -> list[uuid.UUID]:
    """Return a key and all keys it replaced, newest first."""
    chain = {key_id: None}
    latest = key_id
    while (before := older.get(latest)) is not None and before not in chain:
        chain[before], latest = None, before
    return list(chain)


def line_of(key: ApiKey) -> list[uuid.UUID]:
    """Return a key and those it replaced, newest first; without a query if it was selected with `replaces`."""
    return chain_of(key.pk, older_of([key.team_id])) if getattr(key, "replaces", None) is not None else [key.pk]


def answering_for(key_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return the people who answer now for what these keys did: for those that are still good of a key and of those it
    was rotated into, or else for the newest. Two queries at most, the second only where one was rotated.
    """
    columns = ("pk", "owner_id", "replaced_by_id", "revoked_at", "expires_at", "team_id")
    known = {row[0]: row for row in ApiKey.objects.filter(pk__in=key_ids).values_list(*columns)}
    if teams := {row[5] for row in known.values() if row[2] is not None}:
        in_lines = Q(replaced_by__isnull=False) | Q(replaces__isnull=False)
        rows = ApiKey.objects.filter(in_lines, team__in=teams).order_by().values_list(*columns)
        known.update({row[0]: row for row in rows})
    people: set[uuid.UUID | None] = set()
    for key_id in key_ids:
        line, after = list[uuid.UUID](), key_id if key_id in known else None
        while after is not None and after not in line:
            line.append(after)
            after = known[after][2]
        good = [one for one in line if known[one][3] is None and (known[one][4] is None or known[one][4] > now())]
        people.update(known[one][1] for one in good or line[-1:])
    return {person for person in people if person is not None}


def successor_of(key: ApiKey) -> ApiKey:
    """Return the key that continues what this one began: itself until its overlap has ended. Two queries at most."""
    moment = now()
    if key.replaced_by_id is None or key.revoked_at or key.expires_at is None or key.expires_at > moment:
        return key
    rotated = ApiKey.objects.filter(team=key.team_id, replaced_by__isnull=False, revoked_at=None).order_by()
    newer = dict(rotated.filter(expires_at__lte=moment).values_list("pk", "replaced_by_id"))
    successor, seen = key.pk, set[uuid.UUID]()
    while (after := newer.get(successor)) is not None and successor not in seen:
        seen.add(successor)
        successor = after
    return ApiKey.objects.select_related("team", "owner").get(pk=successor)
