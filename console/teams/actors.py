"""Actors: who did something, as the log names them."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. `kind`: user, key, visitor, run, system or anonymous."""

    kind: str
    id: uuid.UUID | None
    name: str
    client_address: str = ""
    request_id: uuid.UUID | None = None


SYSTEM = Actor(kind="system", id=None, name="Facet")
