"""The limits of a widget's visitors: names in `Widget.limits`, defaults, and maximums.

A visitor is whoever holds a token, a network is an address (IPv6: its /64), so new tokens bring no fresh allowance.
A day is one of UTC. The cost of a day lies inside the quotas of the team, which hold as well.
"""

from collections.abc import Mapping
from typing import Any

DEFAULTS: dict[str, int] = {
    "visitor_minute": 6,
    "visitor_day": 60,
    "network_minute": 30,
    "network_day": 600,
    "widget_day": 5_000,
    "message_characters": 2_000,
    "tokens_day": 200_000,
    "cost_day_micros": 5_000_000,
}
MOST: dict[str, int] = {
    "visitor_minute": 60,
    "visitor_day": 5_000,
    "network_minute": 1_000,
    "network_day": 100_000,
    "widget_day": 1_000_000,
    "message_characters": 10_000,
    "tokens_day": 10_000_000,
    "cost_day_micros": 100_000_000_000,
}


def limits_of(limits: Mapping[str, Any]) -> dict[str, int]:
    """Return every limit of a widget: its own where it has one, never above the most; nothing else counts."""
    return {name: _within(limits.get(name), name) for name in DEFAULTS}


def _within(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return DEFAULTS[name]
    return min(value, MOST[name])
