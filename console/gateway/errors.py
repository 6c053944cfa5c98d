"""The refusals of the pipeline."""

from console.core.errors import Refusal


class UnknownModel(Refusal):
    """The name means nothing to this caller; whether it means something to others is not said."""

    status, code, type = 404, "model_not_found", "invalid_request_error"


class QuotaExceeded(Refusal):
    """A limit bound. Windows that pass soon are rate limits, budgets are not worth retrying."""

    status, code, type = 429, "rate_limit_exceeded", "rate_limit_error"


class Stale(Exception):
    """The plan was made under an older epoch; make it again from a newer snapshot."""
