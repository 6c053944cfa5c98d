"""What uses a collection. Agents, chats and widgets live in rooms above; they add a source when the process starts."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

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
