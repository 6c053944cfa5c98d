"""What uses a collection, and which collections use a model.

Agents, chats and widgets live in rooms above; they add a source when the process starts.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse

from console.catalog import where_used
from console.catalog.models import ModelVersion
from console.knowledge.models import Collection


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that uses a collection. `holds` means that the collection cannot be deleted while it does."""

    kind: str  # agent, tool, widget …
    name: str
    team_id: uuid.UUID | None
    team: str
    holds: bool = True
    url: str = ""
    detail: str = ""


SOURCES: list[Callable[[Collection], list[Use]]] = []


def uses_of(collection: Collection) -> list[Use]:
    """Return everything that uses a collection now."""
    return [use for source in SOURCES for use in source(collection)]


def collections_with(version: ModelVersion) -> list[where_used.Use]:
    """Return the collections a model makes vectors for. None holds it: without it they are searched by words."""
    rows = Collection.objects.filter(model=version, deleted_at=None).select_related("team")
    return [
        where_used.Use(
            "collection",
            row.name,
            row.team_id,
            row.owner,
            holds=False,
            url=reverse("knowledge:collection", args=[row.pk]),
        )
        for row in rows
    ]
