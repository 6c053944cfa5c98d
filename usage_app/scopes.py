"""Further scopes of quotas besides teams, keys and aliases: agents and widgets, which live in rooms above.

Those rooms add a source when the process starts (`AppConfig.ready`).
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from console.core.errors import NotFound
from console.teams.models import Team


class Subject(NamedTuple):
    """One agent or widget whose use a team pays for."""

    kind: str  # agent or widget
    value: str  # an agent's short name, a widget's id
    name: str
    team_id: uuid.UUID  # who pays, and so whose quotas can limit it


SOURCES: list[Callable[[Sequence[Team]], Iterable[Subject]]] = []


def subjects_of(teams: Sequence[Team]) -> list[Subject]:
    """Return what can be limited inside these teams, by name."""
    found = [subject for source in SOURCES for subject in source(teams)]
    return sorted(found, key=lambda subject: (subject.kind, subject.name.casefold(), subject.value))


def subject_of(team: Team, kind: str, value: str) -> Subject:
    """Return one of them by what it is known as."""
    for subject in subjects_of([team]):
        if (subject.kind, subject.value, subject.team_id) == (kind, value, team.pk):
            return subject
    raise NotFound(f"The team has no such {kind}.", param=kind)
