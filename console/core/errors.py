"""The base classes of refusals, and of failures of other systems."""

from typing import Any, ClassVar


class Refusal(Exception):
    """We said no. `code` is stable and for programs, the message is a sentence for people.

    A refusal that always says the same has the sentence in its class. `type` is the error type of the OpenAI wire
    format; `param` names the input at fault.
    """

    status: ClassVar[int] = 400
    code: str = "invalid_request"
    details: ClassVar[dict[str, Any]] = {}  # what a wire format wants to be told besides
    type: ClassVar[str] = "invalid_request_error"
    message: str

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        if message is not None:
            self.message = message
        super().__init__(self.message)
        self.param = param
        self.retry_after = retry_after
        self.headers = headers or {}
        if code is not None:
            self.code = code


class BadInput(Refusal):
    """What was sent cannot be used; the message names what is wrong and what to do."""


class NotSignedIn(Refusal):
    status, code, type = 401, "invalid_api_key", "authentication_error"


class NotAllowed(Refusal):
    status, code, type = 403, "policy_denied", "permission_error"


class NotFound(Refusal):
    status, code, type = 404, "not_found", "invalid_request_error"


class Gone(NotFound):
    """What was there when it was looked up, and not when a service went to change it."""

    message = "It is not there any more: somebody else has just removed it."


class Conflict(Refusal):
    """Somebody else was quicker; the message says what changed."""

    status, code, type = 409, "conflict", "invalid_request_error"


class Overtaken(Conflict):
    """Somebody else saved what was looked at before it was decided on."""


def check_revision(row: object, revision: int, seen_revision: int | None, refusal: type[Overtaken] = Overtaken) -> None:
    """Refuse a change that was decided on an older state. None: nobody looked, as in a file that is applied."""
    if seen_revision is not None and revision != seen_revision:
        raise refusal(f"Somebody changed {row} after you opened it. Look again before you decide.")


class TooLarge(Refusal):
    status, code, type = 413, "request_too_large", "invalid_request_error"


class Unavailable(Refusal):
    """We cannot serve right now; nothing was sent anywhere."""

    status, code, type = 503, "service_unavailable", "api_error"


class ProviderError(Exception):
    """Something upstream broke. `permanent` means that trying again will not help.

    `status` is what our caller sees (502, 503 or 504, mostly); `upstream_status` is what the provider said, for the
    log. `param` is the field of the request that the provider found fault with, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        status: int = 502,
        code: str = "upstream_error",
        upstream_status: int | None = None,
        retry_after: int | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.permanent = permanent
        self.status = status
        self.code = code
        self.upstream_status = upstream_status
        self.retry_after = retry_after
