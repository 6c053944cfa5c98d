"""What uses an alias, a model version, a prompt, an agent or a collection, for their "Where used".

Each room lists sources for its own objects (`SOURCES`). Rooms above it, which it does not import, add theirs when the
process starts (`AppConfig.ready`).
"""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Use:
    """`holds` means that the object cannot be deleted or archived while this uses it.

    `url` is the page of what uses it, open to those with the right `opens_to` in its team. Without a team it belongs to
    the whole organisation.
    """

    kind: str  # key, quota, prompt, agent, tool, widget, …
    name: str
    team_id: uuid.UUID | None
    team: str
    holds: bool = True
    url: str = ""
    opens_to: str = "view_team"
    detail: str = ""
    calls: int = 0
