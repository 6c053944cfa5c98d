"""How fast the interactive lane is, and how much of its share the batch lane gets meanwhile."""

from collections import deque

_WINDOW_SECONDS = 30.0
_FEWEST = 10
_KEPT = 512
SLOWEST = 0.02  # the batch lane never stops altogether: its calls would wait forever under steady load


class Pace:
    """The batch lane's share, by additive increase and multiplicative decrease, as TCP shares a network."""

    def __init__(self) -> None:
        self.factor = 1.0
        self._seen: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def observe(self, moment: float, seconds: float) -> None:
        """Record an interactive call's time to its first token."""
        self._seen.append((moment, seconds))

    def p95(self, moment: float) -> float | None:
        """Return the 95th percentile of the last half minute in seconds; None when there were hardly any calls."""
        recent = sorted(seconds for at, seconds in self._seen if at >= moment - _WINDOW_SECONDS)
        return recent[int(len(recent) * 0.95)] if len(recent) >= _FEWEST else None

    def adjust(self, p95: float | None, target: float) -> float:
        """Return the batch lane's share of its permits from now on; called once a second."""
        if p95 is not None and p95 > target:
            self.factor = max(SLOWEST, self.factor / 2)
        else:
            self.factor = min(1.0, self.factor + 0.05)
        return self.factor
