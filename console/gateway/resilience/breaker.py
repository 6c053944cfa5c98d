"""A circuit breaker: stop calling an endpoint that keeps failing, and probe when it works again.

closed      calls are sent; it opens when half of the last ones, and at least five, have failed
open        none is sent, for a pause that doubles with each failed probe, up to a minute
half open   after the pause, one call at a time is a probe; its success closes the breaker, its failure opens it again
"""

from collections import deque

_WINDOW_SECONDS = 30.0
_FEWEST_FAILURES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 60.0
# After this long without a result, another probe is sent.
_PROBE_SECONDS = 30.0


class Breaker:
    """One endpoint as this process knows it. All moments are of one clock the caller chooses, in seconds."""

    __slots__ = ("_failures", "_pause", "_probing_until", "_successes", "_was_open_until", "open_until")

    def __init__(self) -> None:
        self.open_until = 0.0  # 0: closed
        self._was_open_until = 0.0
        self._pause = _FIRST_PAUSE
        self._probing_until = 0.0
        self._failures: deque[float] = deque(maxlen=200)
        self._successes = 0

    @property
    def is_closed(self) -> bool:
        return not self.open_until

    def admits(self, moment: float) -> bool:
        """Return whether a call may go now. After the pause the first to ask goes as the probe."""
        if not self.open_until:
            return True
        # What is further away was written down before the clock was set back.
        if (
            moment < self.open_until <= moment + _LONGEST_PAUSE
            or moment < self._probing_until <= moment + _PROBE_SECONDS
        ):
            return False
        self._probing_until = moment + _PROBE_SECONDS
        return True

    def succeeded(self) -> bool:
        """Record an answer; return True if that closes the breaker."""
        if self.open_until:
            self.close()
            return True
        if self._failures:  # successes matter only beside failures
            self._successes += 1
        return False

    def failed(self, moment: float) -> bool:
        """Record a failure; return True when that opens the breaker, or opens it again after a probe."""
        if self.open_until:
            if moment < self.open_until:
                return False  # a call that began before it opened
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            self._open(moment)
            return True
        failures = self._failures
        while failures and failures[0] < moment - _WINDOW_SECONDS:
            failures.popleft()
        if not failures:
            self._successes = 0
        failures.append(moment)
        if len(failures) >= _FEWEST_FAILURES and len(failures) >= self._successes:
            self._open(moment)
            return True
        return False

    def release(self) -> None:
        """End a probe without result, so that the next call may be one."""
        self._probing_until = 0.0

    def open_elsewhere(self, until: float) -> None:
        """Adopt the state of another process, unless a probe has succeeded here since: that state lives longer."""
        if until > max(self.open_until, self._was_open_until):
            self.open_until = until

    def close(self) -> None:
        self._was_open_until = self.open_until
        self.open_until = self._probing_until = 0.0
        self._pause = _FIRST_PAUSE
        self._failures.clear()
        self._successes = 0

    def _open(self, moment: float) -> None:
        self.open_until, self._probing_until = moment + self._pause, 0.0
        self._failures.clear()
        self._successes = 0
