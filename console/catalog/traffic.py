"""The calls of aliases, as their pages show them.

They are counted in a room above, which the catalog does not import; it registers when the process starts.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls in a span of time, from the roll-ups. `p95_us` is None when nothing was answered."""

    requests: int = 0
    errors: int = 0
    cost_micros: int = 0
    p95_us: int | None = None

    @property
    def cost_of_thousand(self) -> int | None:
        return self.cost_micros * 1000 // self.requests if self.requests else None


class TrafficSource(Protocol):
    def by_alias(self, since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str) -> dict[str, Traffic]:
        """Return the calls of these teams since then, by alias."""

    def by_model(
        self, alias: str, since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str
    ) -> dict[str, Traffic]:
        """Return the calls of one alias since the full hour before, by the version that served (`provider/name`)."""

    def shadow_budgets(self, alias: str) -> dict[uuid.UUID, str]:
        """Return the teams that pay for shadow copies of their calls of an alias, with their names."""


SOURCES: list[TrafficSource] = []


def source() -> TrafficSource:
    (registered,) = SOURCES
    return registered
