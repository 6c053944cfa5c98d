"""Explain to the person who asked why an answer is missing or incomplete."""

from console.core.errors import ProviderError, Refusal, Unavailable
from console.gateway.errors import AgentNotReady, QuotaExceeded, UnknownModel

INTERRUPTED = "The console stopped while this was being written. What there was is kept; try again for the rest."
ACCESS_ENDED = "You may not use this assistant any more, so the answer ended here."
TOO_LONG = "The answer is cut off: it reached the longest this assistant may write."
OUR_FAULT = "Something broke on our side. Nothing you wrote is lost; try again."
_BY_CODE = {
    "upstream_timeout": "The model took too long to answer.",
    "stream_too_long": "The answer took longer than one may take.",
    "upstream_truncated": "The model's answer was cut off.",
    "upstream_too_large": "The answer is larger than this installation accepts.",
}


def of_refusal(refusal: Refusal) -> str:
    """Return what a refusal of the pipeline means to somebody who knows nothing of models and keys."""
    if isinstance(refusal, QuotaExceeded):
        kept = "Your question is kept."
        owners = "" if refusal.will_pass else " An owner of the team can raise the limit."
        return f"{refusal.to_people or refusal.message} {kept}{owners}"
    if isinstance(refusal, AgentNotReady):
        return "This assistant cannot answer at the moment. Its team has to mend it."
    if isinstance(refusal, UnknownModel):
        return "You may not use this assistant any more, or it was archived."
    if isinstance(refusal, Unavailable):
        return "The console cannot take questions right now. Try again in a moment."
    return refusal.message


def of_provider(error: ProviderError) -> str:
    """Return what happened upstream, and what to do about it."""
    said = _BY_CODE.get(error.code, "The model could not answer.")
    if error.permanent:
        return f"{said} Trying again will not help: tell an operator of this installation."
    return f"{said} Your question is kept; try again."
