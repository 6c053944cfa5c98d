"""Refusals visitors see. `code` selects the text in their language (texts.py); the message is for builders."""

from typing import ClassVar

from console.core.errors import BadInput, NotAllowed, Refusal, Unavailable


class WidgetOff(NotAllowed):
    """It is switched off or not there, or it does not answer this site: from outside all look the same."""

    code = "off"
    message = "This widget does not answer here."


class TokenRefused(Refusal):
    """Its time is over or it is not ours; the snippet gets a new one."""

    status: ClassVar[int] = 401
    code = "token"
    message = "The visitor's token is not valid any more."


class IdentityRefused(NotAllowed):
    code = "identity"


class IdentityNeeded(NotAllowed):
    code = "identity_needed"
    message = "This widget is for visitors their site vouches for; call Facet.identify()."


class AllowanceSpent(Refusal):
    """A limit of the visitor, their network or the widget; `names` are those of limits.py."""

    status: ClassVar[int] = 429
    type: ClassVar[str] = "rate_limit_error"

    def __init__(self, names: frozenset[str], retry_after: int) -> None:
        is_short = all(name.endswith("_minute") for name in names)
        super().__init__(
            f"Limits of the widget are reached: {', '.join(sorted(names))}.",
            code="minute" if is_short else "day",
            retry_after=retry_after,
        )


class TooManyStreams(Refusal):
    status: ClassVar[int] = 429
    code = "busy"

    def __init__(self) -> None:
        super().__init__("This visitor has too many streams open.", retry_after=10)


class MessageTooLong(BadInput):
    code = "too_long"

    def __init__(self, length: int, most: int) -> None:
        super().__init__(f"A message may have {most:,} characters; this one has {length:,}.", param="text")


class WrongType(Refusal):
    status: ClassVar[int] = 415
    code = "unsupported_media_type"
    message = "Send JSON, with the content type application/json."


class AssistantAway(Unavailable):
    """The widget's assistant was archived or never published."""

    code = "failed"
    message = "The assistant of this widget does not answer; its team has to mend that."
