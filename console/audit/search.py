"""The criteria of a search of the log, and a page of its results."""

import datetime as dt
import uuid
from dataclasses import dataclass, field

from console.audit.models import AuditEvent

FIRST_ID = uuid.UUID(int=0)
LAST_ID = uuid.UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Criteria:
    """One filter of the log, the same for list, tail, neighbours and export.

    `team_ids` None means every row, also those without a team: for operators only. `content_team_ids` are the teams
    whose inputs and outputs `text` may look into; None means all.
    """

    team_ids: tuple[uuid.UUID, ...] | None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    key_id: uuid.UUID | None = None
    types: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    alias: str = ""
    person_id: uuid.UUID | None = None
    environment: str = ""
    trace: str = ""  # the id of a client's trace
    prompt: str = ""  # the name of the prompt that a call named, not of a partial in it
    version: int | None = None  # of that prompt
    rating: str = ""  # good or bad, of calls somebody said that of; rated, of those somebody said either of
    end_user: str = ""  # as the log keeps it: redaction.kept_name
    metadata: str = ""  # `project=returns`, or `project` for any value of it
    text: str = ""
    content_team_ids: tuple[uuid.UUID, ...] | None = ()

    @property
    def filters(self) -> int:
        """How many conditions there are besides team and time."""
        return sum(
            map(
                bool,
                (
                    *(self.key_id, self.types, self.statuses, self.alias),
                    *(self.person_id, self.environment, self.trace, self.prompt, self.rating),
                    *(self.end_user, self.metadata, self.text),
                ),
            )
        )

    @property
    def has_index(self) -> bool:
        """Return whether one index finds the rows in order, so that no span of time need be searched through."""
        if self.filters == 0:
            return True
        return self.filters == 1 and bool(
            self.key_id
            or self.alias
            or self.person_id
            or self.end_user
            or set(self.types) in ({"admin"}, {"access"}, {"admin", "access"})
            or (len(self.statuses) == 1 and self.statuses[0] != "ok")
        )


@dataclass(slots=True)
class Page:
    """Some rows, newest first. When the time was up before the page was full, `searched_to` says how far it got."""

    events: list[AuditEvent] = field(default_factory=list)
    has_more: bool = False
    searched_to: uuid.UUID | None = None
