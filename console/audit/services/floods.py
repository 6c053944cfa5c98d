"""Refusals of nobody in particular are counted together: a flood of them must not fill the log."""

import ipaddress
from collections import Counter
from collections.abc import Iterable

from console.audit import sql
from console.core.clock import now, period_start

# One minute names at most this many networks per writer; the rest are counted as one.
_MOST_NETWORKS = 200
ELSEWHERE = "elsewhere"


def network_of(client_address: str) -> str:
    """Return the /24 or /64 an address belongs to, which is what one stranger can usually send from."""
    try:
        address = ipaddress.ip_address(client_address)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))


def count_flood(refusals: Iterable[tuple[str, str]]) -> None:
    """Count refusals, given as (client address, code), in the present minute. Call it with a batch, not one by one."""
    counts: Counter[tuple[str, str]] = Counter()
    for address, code in refusals:
        counts[network_of(address), code] += 1
    kept = Counter(dict(counts.most_common(_MOST_NETWORKS)))
    for (network, code), amount in counts.items():
        if (network, code) not in kept:
            kept[ELSEWHERE, code] += amount
    if kept:
        sql.count_flood(period_start("minute", now()), kept)
