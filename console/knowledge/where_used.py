"""What uses a collection, and which collections use a model."""

from collections.abc import Callable

from django.urls import reverse

from console.catalog.models import ModelVersion
from console.core.where_used import Use
from console.knowledge.models import Collection

SOURCES: list[Callable[[Collection], list[Use]]] = []


def uses_of(collection: Collection) -> list[Use]:
    """Return everything that uses a collection now."""
    return [use for source in SOURCES for use in source(collection)]


def collections_with(version: ModelVersion) -> list[Use]:
    """Return the collections a model makes vectors for. They do not hold it: without it they are searched by words."""
    rows = Collection.objects.filter(model=version, deleted_at=None).select_related("team")
    return [
        Use(
            "collection",
            row.name,
            row.team_id,
            row.owner,
            holds=False,
            url=reverse("knowledge:collection", args=[row.pk]),
        )
        for row in rows
    ]
