"""The outcome of one attempt."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """Without a problem the other side has accepted. `is_final`: trying again would not help."""

    problem: str = ""
    is_final: bool = False
    wait_seconds: int = 0
    status: int | None = None
    said: str = ""

    @property
    def is_accepted(self) -> bool:
        return not self.problem


ACCEPTED = Outcome()
BROKEN = Outcome("Something broke on our side.")
UNREADABLE = Outcome("Its address or secret cannot be read with the present ENCRYPTION_KEYS.", is_final=True)
