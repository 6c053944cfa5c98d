"""The refusals of alerts."""

from typing import ClassVar

from console.core.errors import Refusal


class TooManyTests(Refusal):
    """A test goes wherever somebody says, so it must not be a way to flood others."""

    status: ClassVar[int] = 429
    code = "too_many_tests"
    type: ClassVar[str] = "rate_limit_error"

    def __init__(self, most: int, seconds: int) -> None:
        super().__init__(f"{most} tests were sent within a minute. Wait, then try again.", retry_after=seconds)
