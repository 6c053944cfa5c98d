"""API keys as files name them, by team and name."""

from django.db.models import Q

from console.core.clock import now
from console.teams.models import ApiKey

Named = dict[tuple[str, str], list[ApiKey]]
Ended = dict[tuple[str, str, str], ApiKey]


def named_keys(**those: object) -> Named:
    """Return the living keys of some teams by short name of the team and their own; of a line, the last.

    While a key continues beside the one that replaced it both have one name, and the quotas of both are the same.
    """
    living = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now()))
    found = list(ApiKey.objects.filter(living, **those).select_related("team", "owner").order_by("created_at", "id"))
    replaced = dict(ApiKey.objects.filter(**those).exclude(replaced_by=None).values_list("pk", "replaced_by_id"))
    there = {key.pk for key in found}
    named: Named = {}
    for key in found:
        later = replaced.get(key.pk)
        while later is not None and later not in there:
            later = replaced.get(later)
        if later is None:
            named.setdefault((key.team.slug, key.name), []).append(key)
    return named


def ended_keys(**those: object) -> Ended:
    """Return the last key of each short name of a team, name and environment that was revoked or has expired."""
    over = ~Q(revoked_at=None) | Q(expires_at__lte=now())
    found = ApiKey.objects.filter(over, **those).select_related("team", "owner").order_by("created_at", "id")
    return {(key.team.slug, key.name, key.environment): key for key in found}
