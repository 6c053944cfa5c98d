"""Which addresses may be contacted. Checked on the URL when it is saved, and on the socket when it is opened.

There are two lists of private networks. One is for what operators set up: providers, git hosts. The other is for what
anybody who builds in a team does (`is_tool`): tools, their servers, addresses of callbacks. A model server that stands
in a private network opens nothing of it to the agents of a team.
"""

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from console.core.errors import BadInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_BLOCKED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(n)
    for n in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::1/128",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
# All of IPv6 that is given out to be reached from everywhere. Who knows what the rest is translated into.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")
# What inet_aton takes for an address though it is not written as one: 2130706433, 0x7f.1, 0177.0.0.1, 127.1
_NUMERIC = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+)){0,3}\Z")


# Ports where something else than HTTP listens, which a request could be taken for: those browsers refuse (the Fetch
# standard's) from 20 on, and the usual ones of databases.
_OTHER_PROTOCOLS = frozenset([
    20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119,
    123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556,
    563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665,
    6666, 6667, 6668, 6669, 6679, 6697, 10080, 3306, 5432, 6379, 11211, 27017,
])  # fmt: skip


def is_port_refused(port: int, *, is_tool: bool) -> bool:
    """Return whether a port is not for tools; operators know what listens at the addresses they set up."""
    return is_tool and port in _OTHER_PROTOCOLS


class AddressRefused(OSError):
    """The name or address is not one Facet speaks to. Says nothing of what it resolved to."""


@lru_cache(maxsize=8)
def _allowed(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(n) for n in networks)


def is_refused(address: Address, *, is_tool: bool = False) -> bool:
    """Return whether an address is out of bounds: anything not public, unless the deployment's settings allow it."""
    allowed = settings.PRIVATE_NETWORKS_ALLOWED_FOR_TOOLS if is_tool else settings.PRIVATE_NETWORKS_ALLOWED
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in network for network in _allowed(tuple(allowed)) if network.version == address.version):
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return True
    return not address.is_global or any(
        address in network for network in _BLOCKED if network.version == address.version
    )


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once; what was checked is what gets connected."""

    scheme: str
    host: str
    port: int
    path: str


def check_url(url: str, *, is_tool: bool = False) -> Target:
    """Return the parts of an http(s) URL Facet may call; raise BadInput with the reason otherwise.

    Names are not resolved here: what they resolve to is checked when the connection is made, every time.
    """
    if any(ord(c) <= 32 or ord(c) == 127 for c in url) or "\\" in url:
        raise BadInput("The URL holds spaces or control characters.", param="base_url")
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInput("The URL cannot be read; write it as https://host/path.", param="base_url") from None
    if parts.scheme not in {"http", "https"}:
        raise BadInput("The URL must start with https:// or http://.", param="base_url")
    if parts.username is not None or parts.password is not None:
        raise BadInput("The URL holds a user name or password; put the secret into its own field.", param="base_url")
    if parts.query or parts.fragment:
        raise BadInput("The URL must end with its path, without ? or #.", param="base_url")
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise BadInput("The URL has no host.", param="base_url")
    if port is not None and is_port_refused(port, is_tool=is_tool):
        raise BadInput(f"Port {port} is where something else than HTTP listens.", param="base_url")
    try:
        literal: Address | None = ipaddress.ip_address(host)
    except ValueError:
        literal = None
        if not host.isascii() or not _HOST.match(host) or _NUMERIC.match(host) or ".." in host:
            raise BadInput(
                f"{host!r} is not a host name; write it in plain letters, digits, dots and hyphens.", param="base_url"
            ) from None
    names_this_machine = host.lower() == "localhost" or host.lower().endswith(".localhost")
    if names_this_machine:
        literal = ipaddress.ip_address("127.0.0.1")
    if literal is not None and is_refused(literal, is_tool=is_tool):
        raise BadInput(
            "The URL points to a private or reserved address. Whoever runs this installation can allow its network "
            f"with PRIVATE_NETWORKS_ALLOWED{'_FOR_TOOLS' if is_tool else ''}.",
            param="base_url",
        )
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path)


AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


async def look_up(host: str, port: int) -> list[AddressInfo]:
    """Return what the system's resolver says; by itself it vouches for nothing."""
    return list(await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _is_info_refused(info: AddressInfo, *, is_tool: bool) -> bool:
    return is_refused(ipaddress.ip_address(str(info[4][0]).partition("%")[0]), is_tool=is_tool)


async def resolve(host: str, port: int, *, is_tool: bool = False) -> list[AddressInfo]:
    """Return the addresses of a name; refuse them all when one of them is out of bounds."""
    found = await look_up(host, port)
    if not found or any(_is_info_refused(info, is_tool=is_tool) for info in found):
        raise AddressRefused("The host's address is not one this installation may call.")
    return found


def guarded_socket(info: AddressInfo, *, is_tool: bool = False) -> socket.socket:
    """Open a socket for one address really being connected to; the last word, for names and literals alike."""
    family, kind, protocol, _, _ = info
    if _is_info_refused(info, is_tool=is_tool):
        raise AddressRefused("The address is not one this installation may call.")
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened
