"""What uses an alias, and what besides pins uses a model version."""

from collections.abc import Callable

from django.urls import reverse

from console.catalog.models import Alias, ModelVersion
from console.core.where_used import Use
from console.teams.models import ApiKey

ALIAS_SOURCES: list[Callable[[str], list[Use]]] = []  # by the alias's name
VERSION_SOURCES: list[Callable[[ModelVersion], list[Use]]] = []


def uses_of(alias: Alias) -> list[Use]:
    """Return everything that uses an alias now, keys first."""
    return keys_with(alias.name) + [use for source in ALIAS_SOURCES for use in source(alias.name)]


def keys_with(alias: str) -> list[Use]:
    keys = ApiKey.objects.filter(aliases__contains=[alias], revoked_at=None).select_related("team").order_by("name")
    return [
        Use(
            "key",
            f"{key.name} {key.shown}",
            key.team_id,
            key.team.name,
            url=reverse("teams:key", args=[key.pk]),
            opens_to="manage_keys",
        )
        for key in keys
    ]


def uses_of_version(version: ModelVersion) -> list[Use]:
    """Return what uses a version itself, not an alias that is pinned to it."""
    return [use for source in VERSION_SOURCES for use in source(version)]
