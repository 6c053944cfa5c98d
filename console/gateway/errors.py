"""The refusals of the pipeline."""

from console.core.errors import BadInput, NotAllowed, Refusal, Unavailable


class UnknownModel(Refusal):
    """The name means nothing to this caller; whether it means something to others is not said."""

    status, code, type = 404, "model_not_found", "invalid_request_error"


def unknown_model(model: str) -> UnknownModel:
    """Return the refusal of a name that means nothing here, or nothing this caller may use: the same for both."""
    return UnknownModel(
        f"The model {model[:100]!r} does not exist or this key may not call it. GET /v1/models lists what it may.",
        param="model",
    )


class AgentNotReady(UnknownModel):
    """An agent the caller may use cannot answer; the caller can do nothing about it, its team can."""

    code = "agent_not_ready"

    def __init__(self, slug: str, why: str, *, is_inside: bool = True) -> None:
        detail = f": {why.rstrip('.')}" if is_inside else ""
        super().__init__(f"The agent {slug!r} cannot answer{detail}. Its team has to mend it.", param="model")
        self.reason = why  # for the log


class NeedsRun(BadInput):
    """The agent works with tools, so what was asked is done by a run and not by a call."""

    code = "agent_has_tools"


class QuotaExceeded(Refusal):
    """A limit bound. Windows that pass soon are rate limits, budgets are not worth retrying.

    `will_pass`: it is a rate limit, and what asked is no larger than all of it, so there will be room one day.
    `to_people`: which limit it was and when it resets, for somebody who asks in the chat; empty where nobody does.
    """

    status, code, type = 429, "rate_limit_exceeded", "rate_limit_error"
    will_pass: bool = False
    to_people: str = ""


class EndUserNeeded(BadInput):
    """A limit for each end user applies, which lets none pass that names nobody."""

    code = "end_user_required"
    reason: str  # for the log, which quota it was


class Unpriced(NotAllowed):
    """A cost limit applies, and nobody said what the model, or what it is to do besides answering, costs."""


# The code of a call that was opened too late to be sent: nothing was.
TOO_LATE = "too_late"


class DatabaseAway(Unavailable):
    """The log cannot be written, so nothing is sent anywhere."""

    def __init__(self) -> None:
        super().__init__(
            "The console cannot record the request right now; nothing was sent. Try again shortly.", retry_after=2
        )


class AnswerUnrecorded(Unavailable):
    """The end of a call cannot be written; what is not on record is not given out."""

    def __init__(self) -> None:
        super().__init__("The console could not record the answer, so it is not given out. Try again shortly.")
