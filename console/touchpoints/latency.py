"""What is expected of a place, in seconds, and what it did."""

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Observed:
    """Latency of a place in the last 30 days, in microseconds: of its calls, or of an agent's whole runs."""

    p50: int | None = None
    p95: int | None = None
    first_token: int | None = None
    is_of_runs: bool = False

    def against(self, expected: str) -> int | None:
        """Return the figure an expectation is held against; None when nothing was measured."""
        if expected == Expected.REAL_TIME and self.first_token is not None:
            return self.first_token
        return self.p95

    def is_slower_than(self, expected: str) -> bool:
        measured = self.against(expected)
        return measured is not None and measured > BOUNDS[expected]
