"""Whose word counts about where a request came from."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from console.api.v1.request import Request
from console.core.client_address import ClientAddressMiddleware, client_address


@pytest.fixture
def proxies(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8::/32"]


def test_it_believes_nobody_by_default(settings: Any) -> None:
    settings.TRUSTED_PROXIES = []
    assert client_address("203.0.113.9", "1.2.3.4") == "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),  # not a proxy of ours
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),  # the left part is what the client wrote
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),  # two proxies
        ("10.0.0.1", "1.2.3.4, 203.0.113.9, 10.0.0.3, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        ("2001:db8::1", "2001:4860::8888", "2001:4860::8888"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),  # IPv4 written as IPv6
        ("", "1.2.3.4", ""),
    ],
)
def test_it_walks_from_the_right_through_trusted_proxies(
    proxies: None, peer: str, forwarded: str, expected: str
) -> None:
    assert client_address(peer, forwarded) == expected


def test_the_gateway_reads_every_line_of_proxies_as_pages_do(proxies: None) -> None:
    """Proxies that add a line of their own: the last one alone would name a proxy, which many keys' networks hold."""
    lines = [(b"x-forwarded-for", b"1.2.3.4, 203.0.113.9"), (b"host", b"x"), (b"x-forwarded-for", b"10.0.0.2")]
    scope = {"method": "GET", "path": "/v1/models", "headers": lines, "client": ("10.0.0.1", 5), "query_string": b""}
    assert Request(scope, AsyncMock()).client_address == "203.0.113.9"


@given(st.text(max_size=60))
def test_a_client_cannot_choose_its_address(forwarded: str) -> None:
    assert client_address("203.0.113.9", forwarded) == "203.0.113.9"


def test_it_drops_forwarded_headers_of_strangers(proxies: None) -> None:
    seen: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    headers = {"HTTP_X_FORWARDED_FOR": "1.2.3.4", "HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "evil"}
    middleware = ClientAddressMiddleware(view)
    middleware(RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", **headers))
    middleware(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", **headers))
    stranger, proxy = seen
    assert not any(name in stranger.META for name in headers)
    assert stranger.client_address == "203.0.113.9"  # type: ignore[attr-defined]
    assert proxy.META["HTTP_X_FORWARDED_PROTO"] == "https"
    assert proxy.client_address == "1.2.3.4"  # type: ignore[attr-defined]


def test_it_says_which_setting_is_wrong(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/99"]
    with pytest.raises(ImproperlyConfigured, match="TRUSTED_PROXIES"):
        client_address("10.0.0.1", "1.2.3.4")
