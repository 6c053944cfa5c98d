"""Who acts when the log looks after itself. `console.teams` sits above and has the actors of people and keys."""

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
