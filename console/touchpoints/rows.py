"""One line of the inventory, whatever its source."""

import datetime as dt
import uuid
from dataclasses import dataclass, field

from console.teams.models import Team
from console.touchpoints.latency import BOUNDS, Observed
from console.touchpoints.models import Expected, Kind, LegacyTouchpoint, Status

DAYS = 30  # of which figures are, and after which what nobody calls is unused
UNUSED_AFTER = dt.timedelta(days=DAYS)
MOST_OVERLAPS = 20  # that a row names; more do not help, and all of them would be every pair
# A state by name: the words, and the tone of its badge.
STATES: dict[str, tuple[str, str]] = {
    "slower": ("Slower than expected", "bad"),
    "in_time": ("In time", "ok"),
    "unset": ("No expectation set", ""),
    "unused": ("Unused for 30 days", "warn"),
    "quiet": ("Nothing measured yet", ""),
    Status.PLANNED: ("To migrate", "line"),
    Status.MIGRATING: ("Migrating", "brand"),
    Status.MIGRATED: ("Migrated", "ok"),
    Status.RETIRED: ("Retired", ""),
}
SOURCES = {
    "key": "API key",
    "widget": "Chat widget",
    "assistant": "Assistant on the chat page",
    "agent": "Agent",
    "legacy": "Not on Facet",
}


@dataclass(frozen=True, slots=True)
class Link:
    """Another touchpoint, to go to. Without an address, its reader may not open its page."""

    source: str
    id: uuid.UUID
    name: str
    url: str = ""


@dataclass(slots=True)
class Touchpoint:
    """A key, a widget, an assistant, an agent, or a place that is not on Facet."""

    source: str
    id: uuid.UUID
    name: str
    team: Team
    kinds: tuple[Kind, ...]
    created_at: dt.datetime
    url: str = ""
    place: str = ""  # where it lives, or what starts it
    owner: str = ""
    purpose: str = ""
    expected: str = ""
    environment: str = ""
    aliases: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    requests: int = 0
    errors: int = 0
    cost_micros: int = 0
    observed: Observed = Observed()
    last_used_at: dt.datetime | None = None
    overlaps: list[Link] = field(default_factory=list)
    # What makes two of a team the same: see overlaps.py. Empty: nothing is known that could be.
    same: tuple[str, ...] = ()
    agent_id: uuid.UUID | None = None  # who answers there
    legacy: LegacyTouchpoint | None = None
    replaced_by: Link | None = None
    state: str = ""

    @property
    def key(self) -> str:
        """Name it on a page: of one id there may be two sources in time, never at once."""
        return f"{self.source}-{self.id}"

    @property
    def spend_micros(self) -> int | None:
        """Return what stands in the column: what it cost, or elsewhere what somebody thinks it does."""
        return self.cost_micros if self.legacy is None else self.legacy.spend_micros

    @property
    def subject(self) -> str:
        """Return the kind its expectation is kept under."""
        return "agent" if self.source == "assistant" else self.source

    @property
    def link(self) -> Link:
        return Link(self.source, self.id, self.name, self.url)

    @property
    def source_words(self) -> str:
        return SOURCES[self.source]

    @property
    def kind_words(self) -> str:
        """Return how AI is used there, as it reads within a line: chat, API, agent, scheduled."""
        return ", ".join("API" if kind == Kind.API else str(kind.label).lower() for kind in self.kinds)

    @property
    def overlaps_left(self) -> str:
        """Say how many it overlaps with beside the two that are shown."""
        left = len(self.overlaps) - 2
        return "" if left <= 0 else "many more" if len(self.overlaps) >= MOST_OVERLAPS else f"{left} more"

    @property
    def expected_words(self) -> str:
        return str(Expected(self.expected).label) if self.expected else ""

    @property
    def state_words(self) -> str:
        return STATES[self.state][0]

    @property
    def tone(self) -> str:
        return STATES[self.state][1]

    @property
    def is_over(self) -> bool:
        return self.state in {Status.MIGRATED, Status.RETIRED}

    def judge(self, now: dt.datetime) -> None:
        """Set its state: what somebody has to look at comes first."""
        if self.legacy is not None:
            self.state = self.legacy.status
        elif now - (self.last_used_at or self.created_at) > UNUSED_AFTER:
            self.state = "unused"
        elif not self.expected:
            self.state = "unset"
        elif (measured := self.observed.against(self.expected)) is None:
            self.state = "quiet"
        else:
            self.state = "slower" if measured > BOUNDS[self.expected] else "in_time"
