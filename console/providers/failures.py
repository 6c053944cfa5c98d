"""What a caller may hear of a provider's refusal: one voice for every kind of upstream.

Bad input is the caller's to mend, so the provider's sentence is passed on, scrubbed; all else is told in our words.
"""

from console.core.errors import ProviderError
from console.core.scrub import scrub


def without_secret(raw: bytes, secret: str) -> bytes:
    """Return what a provider said without the secret it was asked with; some repeat it, and no pattern knows it."""
    return raw.replace(secret.encode(), b"[redacted]") if secret else raw


def _for_callers(message: str) -> str:
    """Return a provider's sentence without secrets and control characters, and not too much of it."""
    return scrub("".join(c if c.isprintable() else " " for c in message[:2000]))[0][:500]


def failure(status: int, message: str = "", code: str = "") -> ProviderError:
    """Return the error for a status. `code` is ours, and kept when the request itself is at fault."""
    if status in {400, 404, 413, 422} and message:
        return ProviderError(
            f"The model refused the request: {_for_callers(message)}",
            permanent=True,
            status=400,
            code=code or "upstream_refused",
            upstream_status=status,
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
    return ProviderError(f"The provider answered with status {status}.", upstream_status=status)
