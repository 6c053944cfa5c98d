"""Where results of a queue may be sent: only to addresses its builders allow.

The result is signed with the queue's secret, so whoever receives one holds proof that it is the team's.
"""

from collections.abc import Sequence
from urllib.parse import unquote

from agents_app.tools.web import checked_address
from console.core.errors import BadInput
from console.outbound.guard import Target, check_url

MOST, LONGEST = 20, 300


def check_callback_addresses(addresses: Sequence[str]) -> list[str]:
    """Return the addresses a queue names, each once and with its scheme."""
    kept = list(dict.fromkeys(address.strip() for address in addresses if address.strip()))
    if len(kept) > MOST:
        raise BadInput(f"A queue names at most {MOST} addresses.", param="callback_addresses")
    for one in kept:
        if len(one) > LONGEST:
            raise BadInput(f"An address has at most {LONGEST} characters.", param="callback_addresses")
        checked_address(one, "callback_addresses")
    return kept


def is_named(url: str, addresses: Sequence[str]) -> bool:
    """Return whether an address is one of these or below one: same scheme, host and port, and its path continues."""
    target = _read(url)
    named = filter(None, map(_read, addresses))
    return target is not None and any(_is_below(target, prefix) for prefix in named)


def _read(url: str) -> Target | None:
    try:
        return check_url(url, is_tool=True)
    except BadInput:  # a network that is not allowed any more
        return None


def _is_below(target: Target, named: Target) -> bool:
    if (target.scheme, target.host.lower(), target.port) != (named.scheme, named.host.lower(), named.port):
        return False
    path, start = target.path or "/", named.path or "/"
    return not _may_lead_up(path) and (path == start or path.startswith(start.rstrip("/") + "/"))


def _may_lead_up(path: str) -> bool:
    """Return whether somebody could read a path as one that leads up again, also who decodes it twice or drops `;…`."""
    read = unquote(unquote(path)).replace("\\", "/")
    return any(part.partition(";")[0] in {".", ".."} for part in read.split("/"))
