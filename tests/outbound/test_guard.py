"""Which addresses the house speaks to, however they are written and whatever names resolve to."""

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.errors import BadInput
from console.outbound import guard
from console.outbound.guard import AddressRefused, check_url, guarded_socket, is_refused
from console.outbound.requests import make_head

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.7",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "1::1",
    "4000::1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]

octets = st.integers(0, 255)
networks = st.sampled_from(["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"])
private = networks.flatmap(lambda n: st.ip_addresses(v=4, network=n))


@pytest.fixture(autouse=True)
def nothing_is_allowed(settings):
    settings.PRIVATE_NETWORKS_ALLOWED = []


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address):
    assert is_refused(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(BadInput):
        check_url(f"https://{host}/v1")


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_spoken_to(address):
    assert not is_refused(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    assert check_url(f"https://{host}:8443/v1").port == 8443


def spellings(address):
    """Return every way inet_aton and browsers read an IPv4 address."""
    number, parts = int(address), str(address).split(".")
    last_two, last_three = number & 0xFFFF, number & 0xFFFFFF
    return [
        str(number),
        hex(number),
        oct(number).replace("0o", "0"),
        ".".join(hex(int(p)) for p in parts),
        ".".join("0" + oct(int(p))[2:] for p in parts),
        ".".join(p.zfill(4) for p in parts),
        f"{parts[0]}.{last_three}",
        f"{parts[0]}.{parts[1]}.{last_two}",
        f"0x{int(parts[0]):x}.{last_three}",
        f"{address}.",
        f"{address}..",
        "".join(chr(0xFF10 + int(c)) if c.isdigit() else c for c in str(address)),
        "".join(chr(0x0660 + int(c)) if c.isdigit() else c for c in str(address)),
        str(address).replace(".", "\u3002"),
        str(address).replace(".", "%2e"),
    ]


@given(private)
def test_a_private_address_is_refused_in_every_spelling(address):
    for host in spellings(address):
        with pytest.raises(BadInput):
            check_url(f"http://{host}/v1")


@given(private)
def test_a_private_address_is_refused_inside_every_ipv6_form(address):
    packed = int(address)
    wraps = [
        packed,  # ::a.b.c.d
        (0xFFFF << 32) | packed,  # mapped
        (0x0064FF9B << 96) | packed,  # NAT64
        (0x2002 << 112) | (packed << 80),  # 6to4
        (0x2001 << 112) | packed ^ 0xFFFFFFFF,  # Teredo
        (0xFE80 << 112) | packed,
    ]
    for wrapped in wraps:
        inner = ipaddress.IPv6Address(wrapped)
        assert is_refused(inner)
        for host in (str(inner), inner.exploded, inner.exploded.upper()):
            with pytest.raises(BadInput):
                check_url(f"http://[{host}]/v1")


@given(st.ip_addresses())
def test_what_python_calls_not_global_is_never_spoken_to(address):
    if not address.is_global:
        assert is_refused(address)


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_refused(text):
    for url in (text, f"http://{text}", f"https://host/{text}"):
        try:
            target = check_url(url)
        except BadInput:
            continue
        assert target.scheme in {"http", "https"} and target.host and 0 <= target.port < 65536


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "example.com",
        "http://",
        "http:///v1",
        "http://localhost/",
        "http://LOCALHOST/",
        "http://localhost./",
        "http://api.localhost/",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://:secret@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http://exam ple.com/",
        "http://example.com/\r\nX: y",
        "http://example.com/?key=1",
        "http://example.com/#part",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://exa\u00ademple.com/",
        "http://ex\u0430mple.com/",
        "http://-example.com/",
        "http://example..com/",
        "http://" + "a" * 300 + ".com/",
    ],
)
def test_odd_urls_are_refused(url):
    with pytest.raises(BadInput) as refused:
        check_url(url)
    assert refused.value.param == "base_url"


def test_only_the_deployments_settings_open_a_private_network(settings):
    settings.PRIVATE_NETWORKS_ALLOWED = ["10.20.0.0/16", "fd00:20::/32"]
    assert check_url("http://10.20.30.40:8000/v1").host == "10.20.30.40"
    assert check_url("http://[::ffff:10.20.30.40]/v1") and check_url("http://[fd00:20::5]/v1")
    for url in ("http://10.21.0.1/", "http://127.0.0.1/", "http://[fd00:21::5]/"):
        with pytest.raises(BadInput, match="PRIVATE_NETWORKS_ALLOWED"):
            check_url(url)


def test_what_operators_open_for_providers_is_closed_to_tools(settings):
    """Whoever builds agents chooses the addresses of tools, and is not who runs the installation."""
    settings.PRIVATE_NETWORKS_ALLOWED = ["10.20.0.0/16"]
    settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS = ["10.30.0.0/16"]
    assert check_url("http://10.20.0.1/") and check_url("http://10.30.0.1/", is_tool=True)
    for url, is_tool in (("http://10.30.0.1/", False), ("http://10.20.0.1/", True)):
        with pytest.raises(BadInput, match="PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS" if is_tool else "ALLOWED[.]"):
            check_url(url, is_tool=is_tool)
        address = url[7:-1]
        with pytest.raises(AddressRefused):
            guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)), is_tool=is_tool)
        with pytest.raises(AddressRefused):
            asyncio.run(guard.resolve(address, 80, is_tool=is_tool))


def test_tools_do_not_knock_where_other_protocols_listen():
    for port in (22, 25, 6379, 5432, 10080):
        url = f"http://mail.example:{port}/"
        assert check_url(url).port == port, "operators may"
        with pytest.raises(BadInput, match=f"Port {port} "):
            check_url(url, is_tool=True)
        with pytest.raises(AddressRefused):
            make_head("GET", url, (), True)
    for port in (80, 443, 8000, 8443, 9200, 11434):
        assert check_url(f"http://api.example:{port}/", is_tool=True).port == port


def answering(*addresses):
    """Return a resolver that answers what it is told to."""

    async def look_up(host, port, **more):
        families = [socket.AF_INET6 if ":" in a else socket.AF_INET for a in addresses]
        return [(f, socket.SOCK_STREAM, 6, "", (a, port)) for f, a in zip(families, addresses, strict=True)]

    return look_up


@pytest.fixture
def resolved(monkeypatch):
    def run(*addresses):
        monkeypatch.setattr(guard, "look_up", answering(*addresses))
        return [info[4][0] for info in asyncio.run(guard.resolve("models.example.com", 443))]

    return run


def test_a_name_is_good_when_all_its_addresses_are(resolved):
    assert resolved(*PUBLIC) == PUBLIC


@pytest.mark.parametrize(
    "answers", [[], ["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["8.8.8.8", "fe80::1%eth0"]]
)
def test_one_bad_address_among_the_answers_refuses_the_name(resolved, answers):
    with pytest.raises(AddressRefused) as refused:
        resolved(*answers)
    assert not any(address in str(refused.value) for address in answers)


@pytest.mark.parametrize("address", PRIVATE)
def test_no_socket_is_opened_to_what_is_not_public(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(AddressRefused):
        guarded_socket((family, socket.SOCK_STREAM, 6, "", (address, 80)))


def test_a_socket_is_opened_to_what_is_public():
    with guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))) as opened:
        assert (opened.family, opened.getblocking()) == (socket.AF_INET, False)
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
