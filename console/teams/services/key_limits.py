"""Limits of keys: which can never match, which are wider than others; a key cannot grant wider ones than its own."""

import datetime as dt
import ipaddress
import re
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from console.core.client_address import parse_network
from console.core.clock import now
from console.core.errors import BadInput, NotAllowed
from console.core.lanes import Lane, slowest
from console.teams.actors import Actor
from console.teams.models import ApiKey, Environment

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
_MOST_LIMITS = 50


class Limits(NamedTuple):
    """What a key is held to besides its scopes. An empty list allows everything."""

    environment: str
    aliases: Sequence[str]
    networks: Sequence[str]
    max_lane: str
    expires_at: dt.datetime | None


def limits_of(key: ApiKey) -> Limits:
    return Limits(key.environment, key.aliases, key.networks, key.max_lane, key.expires_at)


def check_limits(aliases: Sequence[str], networks: Sequence[str], expires_at: dt.datetime | None) -> list[str]:
    """Refuse limits that could never match, and return the networks the way they are stored."""
    if len(aliases) > _MOST_LIMITS or len(networks) > _MOST_LIMITS:
        raise BadInput(f"A key can name up to {_MOST_LIMITS} aliases and {_MOST_LIMITS} networks.")
    for alias in aliases:
        if not _ALIAS.fullmatch(alias):
            raise BadInput(f"{alias!r} cannot be the name of an alias.", param="aliases")
    parsed = []
    for network in networks:
        try:
            parsed.append(str(parse_network(network.strip())))
        except ValueError:
            raise BadInput(
                f"{network!r} is not a network; write 203.0.113.0/24 or one address.", param="networks"
            ) from None
    if expires_at is not None and expires_at <= now():
        raise BadInput("The key would have expired already; choose a time to come.", param="expires_at")
    return parsed


def check_lane(lane: str) -> str:
    if lane not in Lane.values:
        raise BadInput(f"{lane!r} is not a lane; choose {', '.join(Lane.values)}.", param="max_lane")
    return lane


def wider(before: Limits, after: Limits) -> str:
    """Return the name of the first limit that allows more than before, empty when none does."""
    if before.environment == Environment.SANDBOX and after.environment != Environment.SANDBOX:
        return "environment"
    if before.aliases and not (after.aliases and set(after.aliases) <= set(before.aliases)):
        return "aliases"
    if before.networks and not (
        after.networks and all(_is_inside(network, before.networks) for network in after.networks)
    ):
        return "networks"
    if slowest(before.max_lane, after.max_lane) != after.max_lane:
        return "max_lane"
    if before.expires_at is not None and (after.expires_at is None or after.expires_at > before.expires_at):
        return "expires_at"
    return ""


def _is_inside(network: str, networks: Sequence[str]) -> bool:
    inner = ipaddress.ip_network(network)
    outer = [ipaddress.ip_network(one) for one in networks]
    return any(one.version == inner.version and inner.subnet_of(one) for one in outer)  # type: ignore[arg-type]


def check_within(actor: Actor, limits: Limits) -> None:
    """Refuse what a key would give away beyond its own limits: whoever got hold of it would be rid of them."""
    if actor.kind != "key":
        return
    giver = ApiKey.objects.get(pk=actor.id or uuid.UUID(int=0))
    if name := wider(limits_of(giver), limits):
        message = (
            f"The key that asks is limited in its {_SAID[name]}; the keys it makes or changes cannot go beyond that."
        )
        raise NotAllowed(message, param=name)


_SAID = {
    "environment": "environment (sandbox)",
    "aliases": "aliases",
    "networks": "networks",
    "max_lane": "lane",
    "expires_at": "time",
}
