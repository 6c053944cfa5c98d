"""What a caller may hear of trouble on the way out: no addresses, ports or banners."""

from console.core.errors import ProviderError


def unreachable(*, is_late: bool = False) -> ProviderError:
    status = 504 if is_late else 502
    return ProviderError("The provider cannot be reached.", status=status, code="upstream_unreachable")


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
