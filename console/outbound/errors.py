"""Describe network failures to callers: without addresses, ports or banners.

It is said of the provider, to whom most requests go. Who asked somebody else says it of them, with `sentence`.
"""

from console.core.errors import ProviderError

_SAID = {
    "upstream_unreachable": "{Who} cannot be reached.",
    "too_many_connections": "{Who} could not be called: this installation has too many connections open.",
    "upstream_timeout": "{Who} stopped answering.",
    "upstream_too_large": "{Who}'s answer is larger than this installation accepts.",
    "address_refused": "{Who}'s address is not one this installation may call.",
    "upstream_tls": "{Who}'s TLS certificate is not valid.",
    "upstream_broken": "The connection to {who} broke.",
}
# What whoever runs the installation can do about it.
_HELP = {
    "address_refused": " A private network must be in PRIVATE_NETWORKS_ALLOWED.",
    "upstream_tls": " For one of an authority of your own, SSL_CERT_FILE must name a file with that authority.",
}


def sentence(error: ProviderError, who: str, *, is_operators: bool = False) -> str:
    """Return what went wrong on the way to `who` ("the collector"), in a sentence.

    `is_operators`: an operator chose the address and reads this, so it comes with what would allow it.
    """
    words = _SAID.get(error.code, "{Who} could not be called.").format(who=who, Who=who[:1].upper() + who[1:])
    return words + _HELP.get(error.code, "") if is_operators else words


def unreachable(*, is_late: bool = False) -> ProviderError:
    status = 504 if is_late else 502
    return ProviderError("The provider cannot be reached.", status=status, code="upstream_unreachable")


def no_room() -> ProviderError:
    """This process has as many connections and files open as it may: the other side has done nothing."""
    sentence = "This installation has too many connections open; try again shortly."
    return ProviderError(sentence, status=503, code="too_many_connections", retry_after=1)


def silent() -> ProviderError:
    return ProviderError("The provider stopped answering.", status=504, code="upstream_timeout")


def refused() -> ProviderError:
    sentence = "The provider's address is not one this installation may call."
    return ProviderError(sentence, permanent=True, code="address_refused")


def bad_tls() -> ProviderError:
    return ProviderError("The provider's TLS certificate is not valid.", permanent=True, code="upstream_tls")


def broken() -> ProviderError:
    return ProviderError("The connection to the provider broke.", code="upstream_broken")


def too_large() -> ProviderError:
    return ProviderError("The provider's answer is larger than this installation accepts.", code="upstream_too_large")
