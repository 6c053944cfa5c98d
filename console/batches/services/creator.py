"""Who creates a file or a batch: a key, or a person on the page."""

import uuid
from typing import NamedTuple

from console.teams.actors import Actor
from console.teams.models import Team


class Creator(NamedTuple):
    actor: Actor
    team: Team
    environment: str
    key_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = None

    @property
    def surface(self) -> str:
        return "api" if self.key_id else "console"
