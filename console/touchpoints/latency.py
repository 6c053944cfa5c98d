"""The expected latency of a place in seconds, and the measured one."""

from dataclasses import dataclass
from typing import Protocol

from console.touchpoints.models import Expected

_SECOND = 1_000_000
# Microseconds that 95 of 100 must stay below. In real time the first words count, then the reader reads along.
BOUNDS: dict[str, int] = {
    Expected.REAL_TIME: 2 * _SECOND,
    Expected.SECONDS: 30 * _SECOND,
    Expected.MINUTES: 15 * 60 * _SECOND,
    Expected.OVERNIGHT: 12 * 3600 * _SECOND,
}
SENTENCES: dict[str, str] = {
    Expected.REAL_TIME: "first words within 2 s",
    Expected.SECONDS: "whole answer within 30 s",
    Expected.MINUTES: "done within 15 min",
    Expected.OVERNIGHT: "done within 12 h",
}


class Measured(Protocol):
    """Latency of a place in the last 30 days, in microseconds; reading one may take a moment."""

    @property
    def p50(self) -> int | None: ...
    @property
    def p95(self) -> int | None: ...
    @property
    def first_token_p95(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Durations:
    """Figures that are known."""

    p50: int | None = None
    p95: int | None = None
    first_token_p95: int | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What a place did: its calls, or an agent's whole runs."""

    measured: Measured = Durations()
    is_of_runs: bool = False

    @property
    def p50(self) -> int | None:
        return self.measured.p50

    @property
    def p95(self) -> int | None:
        return self.measured.p95

    @property
    def first_token(self) -> int | None:
        return self.measured.first_token_p95

    def against(self, expected: str) -> int | None:
        """Return the figure an expectation is held against; None when nothing was measured."""
        first = self.first_token if expected == Expected.REAL_TIME else None
        return self.p95 if first is None else first
