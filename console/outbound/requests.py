"""The head of a request: its destination, and its bytes."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from console.outbound.guard import AddressRefused, is_port_refused

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_TARGET = re.compile(r"[\x21-\x7e]+\Z")
# Ours to say, or of one hop only. Nobody who names a provider's headers may change how a message ends.
OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "user-agent", "te"})


class Origin(NamedTuple):
    """Who a connection is to. `host` is a name or a literal address, without brackets and final dots.

    `is_tool` is part of it: a connection that operators' settings allow is not handed to a tool.
    """

    is_tls: bool
    host: str
    port: int
    is_tool: bool = False


class Head(NamedTuple):
    origin: Origin
    start: bytes  # everything before the length of the body


def _parts(url: str, is_tool: bool) -> tuple[Origin, str, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("The URL cannot be read.") from None
    is_tls = parts.scheme == "https"
    if not _TARGET.match(url) or not (is_tls or parts.scheme == "http") or not parts.hostname or "@" in parts.netloc:
        raise AddressRefused("The URL is not one a provider can have.")
    if port is not None and is_port_refused(port, is_tool=is_tool):
        raise AddressRefused("The port is one of another protocol.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    origin = Origin(is_tls, parts.hostname.rstrip("."), port or (443 if is_tls else 80), is_tool)
    return origin, parts.netloc, target


@lru_cache(maxsize=256)
def make_head(method: str, url: str, headers: tuple[tuple[str, str], ...], is_tool: bool = False) -> Head:
    """Return a request's head. The same few are used all the time.

    Raises AddressRefused when the URL cannot be one, and ValueError when a header cannot be sent.
    """
    origin, authority, target = _parts(url, is_tool)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}", "User-Agent: Facet", "Accept-Encoding: identity"]
    if not any(name.lower() == "accept" for name, _ in headers):
        lines.append("Accept: */*")
    for name, value in headers:
        if not _NAME.match(name) or not _VALUE.match(value) or name.lower() in OURS:
            raise ValueError("A header cannot be sent.")
        lines.append(f"{name}: {value}")
    return Head(origin, "\r\n".join(lines).encode("latin-1") + b"\r\n")
