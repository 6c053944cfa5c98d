"""A request's real address: forwarded headers count only as far as trusted proxies set them."""

import ipaddress
from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What a proxy may say about the request it passes on. From anybody else it is a lie, or at best hearsay.
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise ImproperlyConfigured(f"TRUSTED_PROXIES: {error}.") from None


def parse_address(text: str) -> Address | None:
    """Return the address, an IPv4 one written as IPv6 as IPv4; None for anything else."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=1024)
def parse_network(text: str) -> Network:
    """Return the network written as CIDR; a single address is the network of itself."""
    return ipaddress.ip_network(text, strict=False)


def is_within(address: Address | None, networks: tuple[Network, ...]) -> bool:
    return address is not None and any(address.version == n.version and address in n for n in networks)


def is_trusted_proxy(peer: str) -> bool:
    return is_within(parse_address(peer), _networks(tuple(settings.TRUSTED_PROXIES)))


@lru_cache(maxsize=4096)
def _peer_address(peer: str) -> str:
    return str(parse_address(peer) or "")


def client_address(peer: str, forwarded_for: str = "") -> str:
    """Return the address of the client: the last hop that is not a proxy of ours.

    `peer` is who holds the connection. X-Forwarded-For is read from the right, because each proxy appends the address
    it saw; the first one that is not a trusted proxy's is the client, and what stands left of it was written by the
    client itself.
    """
    if not forwarded_for:
        return _peer_address(peer)
    client = parse_address(peer)
    trusted = _networks(tuple(settings.TRUSTED_PROXIES))
    for text in reversed(forwarded_for.split(",")):
        if not is_within(client, trusted):
            break
        hop = parse_address(text)
        if hop is None:
            break
        client = hop
    return str(client) if client else ""


class ClientAddressMiddleware:
    """Put `client_address` on the request, and drop forwarded headers that no trusted proxy sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = request.META.get("REMOTE_ADDR", "")
        if not is_trusted_proxy(peer):
            for name in _FORWARDED:
                request.META.pop(name, None)
        request.client_address = client_address(peer, request.META.get("HTTP_X_FORWARDED_FOR", ""))  # type: ignore[attr-defined]
        return self.get_response(request)
