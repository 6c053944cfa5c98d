"""Describe a provider's refusal to callers, in the same way for all kinds.

Bad input is the caller's to mend, so the provider's sentence is passed on, scrubbed; all else is told in our words.
"""

from typing import NamedTuple

from console.core.errors import ProviderError
from console.core.scrub import scrub

# The request itself is at fault, also where no sentence says how: to send it again cannot help. A 400 or a 404 that
# says nothing may be a proxy's, of a wrong address.
_ALWAYS_THEIRS = frozenset({413, 422})
_THEIRS_IF_SAID = frozenset({400, 404})
_OVERLOADED = 529  # Anthropic's word, which others took over


class ErrorBody(NamedTuple):
    """What a provider said of a request it refuses: `code` is a word of ours, `param` the field at fault."""

    message: str = ""
    code: str = ""
    param: str = ""


def without_secret(raw: bytes, secret: str) -> bytes:
    """Return what a provider said without the secret it was asked with; some repeat it, and no pattern knows it."""
    return raw.replace(secret.encode(), b"[redacted]") if secret else raw


def _for_callers(message: str) -> str:
    """Return a provider's sentence without secrets and control characters, and not too much of it."""
    return scrub("".join(c if c.isprintable() else " " for c in message[:2000]))[0][:500]


def failure(status: int, error: ErrorBody) -> ProviderError:
    """Return the error for a status: the caller's to mend, or the installation's."""
    if status in _ALWAYS_THEIRS or (status in _THEIRS_IF_SAID and error.message):
        return ProviderError(
            f"The model refused the request: {_for_callers(error.message) or f'status {status}, without a reason.'}",
            permanent=True,
            status=400,
            code=error.code or "upstream_refused",
            upstream_status=status,
            param=_for_callers(error.param)[:100] or None,
        )
    if status in {401, 403}:
        return ProviderError(
            "The provider did not accept this installation's credentials.",
            permanent=True,
            code="upstream_credentials",
            upstream_status=status,
        )
    if status == 429:
        return ProviderError(
            "The provider is limiting this installation.", status=503, code="upstream_busy", upstream_status=status
        )
    if status == _OVERLOADED:
        return ProviderError("The provider is overloaded.", status=503, code="upstream_busy", upstream_status=status)
    if status == 404:
        return ProviderError(
            "The provider has nothing at this address (404). Whoever runs this installation should check its base URL.",
            upstream_status=status,
        )
    # A 503 stays one: clients wait as long as it says, and Anthropic's read it as overloaded.
    ours = 503 if status == 503 else 502
    return ProviderError(f"The provider answered with status {status}.", status=ours, upstream_status=status)
