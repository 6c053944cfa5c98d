"""The actors of work the log does by itself. Those of people and keys are in `console.teams`, above."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class House:
    kind: str = "system"
    id: uuid.UUID | None = None
    name: str = "Facet"
    client_address: str = ""
    request_id: uuid.UUID | None = None


HOUSE = House()
