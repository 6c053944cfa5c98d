"""Notes of rooms above on the pages of a prompt. They append to SOURCES in their `AppConfig.ready`."""

from collections.abc import Callable

from console.core.notes import Note
from console.teams.callers import Caller
from prompts_app.models import Prompt

SOURCES: list[Callable[[Caller, Prompt], list[Note]]] = []


def notes_on(caller: Caller, prompt: Prompt) -> list[Note]:
    return [note for source in SOURCES for note in source(caller, prompt)]
