"""The widgets in the snapshot, so that a visitor's call ends when its widget is disabled.

What a widget is stands in a room above. It registers a source of shapes here when the process starts
(`AppConfig.ready`), which each snapshot reads.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WidgetShape:
    """A widget that is switched on, and the team it asks for."""

    id: uuid.UUID
    name: str
    team_id: uuid.UUID


Widgets = dict[uuid.UUID, WidgetShape]
SOURCES: list[Callable[[], Widgets]] = []


def widget_shapes() -> Widgets:
    """Return every widget that may ask, from all sources."""
    return {key: shape for source in SOURCES for key, shape in source().items()}
