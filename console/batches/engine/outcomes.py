"""The possible outcomes of sending a line."""

from typing import Any, NamedTuple

from console.core.errors import ProviderError, Refusal


class Used(NamedTuple):
    """What a call is charged with."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    cost_micros: int = 0


class Done(NamedTuple):
    """An answer, as its caller would have got it."""

    body: bytes
    used: Used


class Failed(NamedTuple):
    """The line ends with this error."""

    status: int
    code: str
    message: str
    type: str = "invalid_request_error"
    param: str | None = None

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class Again(NamedTuple):
    """The line is sent again after a wait. `holds`: the others wait as well. `counts`: not more than a few times."""

    failure: Failed
    seconds: float
    holds: bool = False
    counts: bool = True


class Unknown(NamedTuple):
    """The call may have been made, but its end could not be read; the log will say."""


class Stopped(NamedTuple):
    """Who made the batch may not continue: no further line is sent."""

    failure: Failed


Outcome = Done | Failed | Again | Unknown | Stopped


def of_refusal(refusal: Refusal) -> Failed:
    return Failed(refusal.status, refusal.code, refusal.message, refusal.type, refusal.param)


def of_provider_error(error: ProviderError) -> Failed:
    kind = "invalid_request_error" if error.status < 500 else "api_error"
    return Failed(error.status, error.code, error.message, kind)
