"""The sites a widget answers: scheme, host and port, compared exactly. An empty list means none.

What the browser says in `Origin` counts, and nothing a page writes into a body or an address.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

LONGEST = 200
_PORTS = {"http": 80, "https": 443}
# What is left of a host when it stands in a header, where anything else would begin something new.
_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")


def normal(text: str) -> str:
    """Return an origin as browsers write it (`https://shop.example`), empty when the text is none."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not host or len(text) > LONGEST:
        return ""
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc or "*" in host:
        return ""
    try:
        host = host if ":" in host else host.encode("idna").decode()
    except UnicodeError:
        return ""
    shown = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(shown):
        return ""
    return f"{parts.scheme}://{shown}" + (f":{port}" if port and port != _PORTS[parts.scheme] else "")


def is_allowed(origin: str, origins: Sequence[str]) -> bool:
    """Return whether a browser's origin is on a widget's list."""
    return bool(origin) and origin != "null" and origin in origins


def is_ours(request: HttpRequest) -> bool:
    """Return whether the request comes from our own frame, or from no page at all."""
    origin = request.headers.get("Origin", "")
    return not origin or origin in {settings.BASE_URL, f"{request.scheme}://{request.get_host()}"}
