"""Which keys were rotated into which: what one of them made, those that follow it have, and go on with.

What was begun with a key, and goes on after its request, is called for by the key itself for as long as it is good.
Once the overlap of its rotation has ended, the key that replaced it calls, with its own limits and rights. A key that
was revoked, or was given no overlap, has nobody go on: whoever does that wants an end.
"""

import uuid
from collections.abc import Collection, Mapping

from console.core.clock import now
from console.teams.models import ApiKey


def older_of(teams: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Return which key each key of these teams replaced."""
    rotated = ApiKey.objects.filter(team__in=teams, replaced_by__isnull=False).order_by()
    return {new: old for old, new in rotated.values_list("pk", "replaced_by_id") if new is not None}


def chain_of(key_id: uuid.UUID, older: Mapping[uuid.UUID, uuid.UUID]) -> list[uuid.UUID]:
    """Return a key and those it replaced, over however many, newest first."""
    chain = {key_id: None}
    latest = key_id
    while (before := older.get(latest)) is not None and before not in chain:
        chain[before], latest = None, before
    return list(chain)


def own_keys(key: ApiKey) -> frozenset[uuid.UUID]:
    """Return a key and those it replaced. Selected with `replaces`, one that follows none asks no question."""
    if getattr(key, "replaces", None) is None:
        return frozenset({key.pk})
    return frozenset(chain_of(key.pk, older_of([key.team_id])))


def heir_of(key: ApiKey) -> ApiKey:
    """Return the key that goes on with what was begun with this one: itself, until its overlap has ended.

    However many were rotated since, that is two questions.
    """
    moment = now()
    if key.replaced_by_id is None or key.revoked_at or key.expires_at is None or key.expires_at > moment:
        return key
    rotated = ApiKey.objects.filter(team=key.team_id, replaced_by__isnull=False, revoked_at=None).order_by()
    newer = dict(rotated.filter(expires_at__lte=moment).values_list("pk", "replaced_by_id"))
    heir, seen = key.pk, set[uuid.UUID]()
    while (after := newer.get(heir)) is not None and heir not in seen:
        seen.add(heir)
        heir = after
    return ApiKey.objects.select_related("team", "owner").get(pk=heir)
