"""Notes of rooms above on the page of an alias. They append to SOURCES in their `AppConfig.ready`."""

from collections.abc import Callable

from console.core.notes import Note
from console.teams.callers import Caller

# Given who looks and the alias's name.
SOURCES: list[Callable[[Caller, str], list[Note]]] = []


def notes_on(caller: Caller, alias: str) -> list[Note]:
    return [note for source in SOURCES for note in source(caller, alias)]
