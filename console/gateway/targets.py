"""Which version answers a call: the one its pin means, the canary's for a share of the callers, or, after trouble, the
next of the pin's fallback chain.

Steps number the chain: 0 is where a call begins, 1 the first fallback. A fallback with two tries is two steps. Between
a canary and the first fallback lies one more: the version everybody else gets.
"""

import hashlib
from dataclasses import replace
from typing import NamedTuple

from console.catalog.models import Trouble
from console.catalog.shapes import FallbackShape, PinShape, VersionShape
from console.core.errors import BadInput, ProviderError
from console.gateway.operations import OPERATIONS
from console.gateway.types import Ask, Asker
from console.providers.registry import KINDS

PIN, CANARY, SHADOW = "pin", "canary", "shadow"
SHADOW_STEP = -1
PINNED_STEP = -2  # the pin's own version, after its canary had trouble

_ERROR, _TIMEOUT = frozenset({Trouble.ERROR.value}), frozenset({Trouble.TIMEOUT.value})
_UNREACHABLE, _BUSY = frozenset({Trouble.UNREACHABLE.value}), frozenset({Trouble.BUSY.value})
_TROUBLES = {
    "upstream_unreachable": _UNREACHABLE,
    # A breaker is opened by any of these, and nobody would want a fallback for the first of them only.
    "upstream_open": _ERROR | _TIMEOUT | _UNREACHABLE,
    "upstream_tls": _UNREACHABLE,
    "address_refused": _UNREACHABLE,
    "upstream_timeout": _TIMEOUT,
    "upstream_busy": _BUSY,
    "upstream_full": _BUSY,
    "upstream_error": _ERROR,
    "upstream_broken": _ERROR,
    "upstream_invalid": _ERROR,
    "upstream_truncated": _ERROR,
    "upstream_too_large": _ERROR,
    "upstream_credentials": _ERROR,
}


class Target(NamedTuple):
    """The pin with the version that answers in its place, and by which way it was chosen."""

    pin: PinShape
    route: str


def is_fallback(step: int) -> bool:
    """Return whether a step comes after trouble, so that the call is recorded already."""
    return step not in {0, SHADOW_STEP}


def can_serve(version: VersionShape) -> bool:
    return not version.is_retired and version.provider.is_usable and version.provider.kind in KINDS


def can_answer(version: VersionShape, ask: Ask) -> bool:
    """Return whether a version does what an ask asks for: tools, a schema, vectors."""
    try:
        OPERATIONS[ask.operation].check_fit(version, ask)
    except BadInput:
        return False
    return True


def chain(pin: PinShape) -> tuple[FallbackShape, ...]:
    """Return the fallbacks as steps: one with two tries is there twice, one that cannot serve not at all."""
    return tuple(fallback for fallback in pin.fallbacks if can_serve(fallback.version) for _ in range(fallback.tries))


def target_at(step: int, pin: PinShape, alias: str, asker: Asker, ask: Ask) -> Target | None:
    """Return who answers at a step; None when the chain is not that long (any more).

    A canary that cannot do what a call asks for leaves it to the pin: a caller who was served before stays served.
    """
    if step == 0:
        canary, percent = pin.canary or (None, 0)
        is_meant = canary is not None and can_serve(canary) and is_in_share(percent, alias, asker, ask)
        if canary is not None and is_meant and can_answer(canary, ask):
            return Target(replace(pin, version=canary), CANARY)
        return Target(pin, PIN)
    if step == PINNED_STEP:
        return Target(pin, PIN) if can_serve(pin.version) else None
    if step == SHADOW_STEP:
        is_there = pin.shadow is not None and can_serve(pin.shadow[0])
        return Target(replace(pin, version=pin.shadow[0]), SHADOW) if pin.shadow and is_there else None
    steps = chain(pin)
    return Target(replace(pin, version=steps[step - 1].version), f"fallback {step}") if step <= len(steps) else None


def is_in_share(percent: int, alias: str, asker: Asker, ask: Ask) -> bool:
    """Return whether a caller is among the first so many percent: always the same ones, and of two shares the same
    first.

    The caller is the key or person, and whom it speaks for, if it says so in `safety_identifier` or `user`.
    """
    whom = ask.body.get("safety_identifier") or ask.body.get("user") or ""
    digest = hashlib.blake2b(f"{alias}\0{asker.actor_id}\0{whom}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 10_000 < percent * 100


def next_step(step: int, route: str, pin: PinShape, error: ProviderError, ask: Ask) -> int | None:
    """Return the step to continue with after an error; None when nothing of the chain is for this kind of trouble.

    A canary's trouble is an experiment's, so the version it stands in for is tried whatever the chain says. What cannot
    do what is asked for is passed over: the caller should hear of the trouble, not of a fallback's limits.
    """
    troubles = _TROUBLES.get(error.code)
    if troubles is None or step == SHADOW_STEP:
        return None
    if route == CANARY and can_serve(pin.version) and can_answer(pin.version, ask):
        return PINNED_STEP
    step = max(step, 0)
    for place, fallback in enumerate(chain(pin)[step:], start=step + 1):
        if not troubles.isdisjoint(fallback.on) and can_answer(fallback.version, ask):
            return place
    return None
