"""From an ask to a plan, in memory: which model, what it may cost, and which limits count it."""

from collections.abc import Iterator
from typing import Any

from console.audit.models import EventType
from console.catalog.shapes import PinShape, PriceShape, VersionShape
from console.core.errors import BadInput, NotAllowed, Unavailable
from console.core.lanes import slowest
from console.gateway.errors import UnknownModel, Unpriced
from console.gateway.operations import OPERATIONS, lengths
from console.gateway.snapshot import Snapshot
from console.gateway.targets import CANARY, PIN, Target, target_at
from console.gateway.types import Ask, Asker, Charge, Plan
from console.providers.registry import KINDS
from console.providers.types import Endpoint
from usage_app.models import Purpose
from usage_app.shapes import QuotaShape

# Where a person waits for the answer, streamed or not.
_LIVE = frozenset({"chat", "widget", "playground"})


def make_plan(snapshot: Snapshot, asker: Asker, ask: Ask, *, default_output: int, step: int = 0) -> Plan:
    """Resolve an ask against the snapshot, for one step of its pin's chain. Raises Refusal; asks no database.

    A canary whose provider cannot be told what is asked, or which has no price where one is needed, leaves the call to
    the pin.
    """
    alias, pinned = resolve(snapshot, asker, ask.model)
    target = target_at(step, pinned, alias, asker, ask)
    if target is None:
        raise Unavailable(f"The fallbacks of {alias!r} changed during the request; try again.", retry_after=1)
    if target.route == CANARY:
        try:
            return _plan(snapshot, asker, ask, alias, pinned, target, default_output, step)
        except (BadInput, Unpriced):
            target = Target(pinned, PIN)
    return _plan(snapshot, asker, ask, alias, pinned, target, default_output, step)


def _plan(
    snapshot: Snapshot,
    asker: Asker,
    ask: Ask,
    alias: str,
    pinned: PinShape,
    target: Target,
    default_output: int,
    step: int,
) -> Plan:
    pin, route = target
    version = pin.version
    operation = OPERATIONS[ask.operation]
    operation.check_fit(version, ask)
    _check_maximum(pin, ask)
    price = version.price_at(ask.at)
    body, output_tokens = operation.fit(ask, pin, default_output)
    prompt_tokens = operation.prompt_tokens(ask)
    charges = _charges(snapshot, asker, ask, alias, prompt_tokens, output_tokens, price, version)
    provider = version.provider
    lane = lane_of(asker, ask, pin)
    return Plan(
        epoch=snapshot.epoch,
        asker=asker,
        ask=ask,
        alias=alias,
        version=version,
        kind=KINDS[provider.kind],
        price=price,
        outgoing=operation.outgoing(provider.kind, Endpoint(provider.base_url, provider.secret), body, ask),
        lane=lane,
        prompt_tokens=prompt_tokens,
        charges=charges,
        record=start_record(
            asker,
            ask,
            epoch=snapshot.epoch,
            alias=alias,
            model=version.label,
            model_version_id=version.id,
            lane=lane,
            prompt_tokens=prompt_tokens,
            cost_micros=price.cost(prompt_tokens, 0, 0) if price else 0,
        ),
        pin=pinned,
        route=route,
        step=step,
    )


def _check_maximum(pin: PinShape, ask: Ask) -> None:
    """Refuse what the pin does not allow, by name; the length of an answer is cut to size instead."""
    bounds = dict(pin.max_parameters)
    if "n" in bounds:
        bounds["best_of"] = bounds["n"]  # as many answers are written, whatever number comes back
    for name, most in bounds.items():
        asked = ask.body.get(name)
        if name not in lengths.NAMES and isinstance(asked, int | float) and asked > most:
            raise BadInput(f"{name} is {asked}; {ask.model!r} allows at most {most}.", param=name)


def lane_of(asker: Asker, ask: Ask, pin: PinShape) -> str:
    """Return the lane a call runs in: the one it asks for or its surface has, never a faster one than it may."""
    wanted = ask.lane or ("interactive" if ask.is_stream or ask.surface in _LIVE else "standard")
    return slowest(wanted, asker.key.max_lane if asker.key is not None else "", pin.lane)


def start_record(asker: Asker | None, ask: Ask, **more: Any) -> dict[str, Any]:
    """Return the audit row as far as it is known when a call starts; names are columns of audit_event."""
    record = {
        "id": ask.id,
        "at": ask.at,
        "type": ask.type,
        "surface": ask.surface,
        "route": ask.route,
        "client_address": ask.client_address,
        "client_request_id": ask.client_request_id,
        "stream": ask.is_stream,
        "alias": ask.model[:200],
        "prompt": ask.prompt.record if ask.prompt else "",
        "agent": ask.agent.ref if ask.agent else "",
        **more,
    }
    if asker is not None:
        record |= {
            "team_id": asker.team.id,
            "team": asker.team.name,
            "actor_kind": asker.actor_kind,
            "actor_id": asker.actor_id,
            "actor": asker.actor,
            "environment": asker.environment,
        }
        if asker.key is not None:
            record |= {"key_id": asker.key.id, "key": asker.key.shown}
    return record


def resolve(snapshot: Snapshot, asker: Asker, model: str) -> tuple[str, PinShape]:
    """Return the alias and the pin a name means for this caller; the same 404 whether it is unknown or not theirs."""
    name, _, environment = model.partition("@")
    alias = snapshot.aliases.get(name)
    if alias is None or not alias.is_for(asker.team.id) or (asker.aliases and name not in asker.aliases):
        version = exact_version(snapshot, asker, model)
        if version is None:
            raise UnknownModel(
                f"The model {model[:100]!r} does not exist or this key may not call it."
                " GET /v1/models lists what it may.",
                param="model",
            )
        _check_usable(version, model)
        return model, PinShape(version, {})
    environment = environment or asker.environment
    if environment not in {"production", "sandbox"}:
        raise UnknownModel(
            f"{environment[:40]!r} is not an environment; write {name}@sandbox or {name}.", param="model"
        )
    if environment == "production" and asker.environment != "production":
        raise NotAllowed("A sandbox key cannot call production pins.", param="model")
    pin = alias.pins.get(environment)
    if pin is None:
        raise UnknownModel(f"The alias {name!r} is not pinned in {environment}.", param="model")
    _check_usable(pin.version, name)
    return name, pin


def exact_version(snapshot: Snapshot, asker: Asker, model: str) -> VersionShape | None:
    """Return the version a caller names as `provider/name`, if it may name versions at all.

    A key limited to aliases reaches the versions these mean, and no others: a limit would be none with a way around it.
    """
    version = snapshot.versions_by_label.get(model) if asker.may_call_exact else None
    if version is None or not asker.aliases:
        return version
    aliases = (snapshot.aliases.get(name) for name in asker.aliases)
    is_reached = any(
        version.id == reached.id
        for alias in aliases
        if alias is not None and alias.is_for(asker.team.id)
        for environment, pin in alias.pins.items()
        if environment in {asker.environment, "sandbox"}
        for reached in pin.versions
    )
    return version if is_reached else None


def _check_usable(version: VersionShape, name: str) -> None:
    if version.is_retired:
        raise UnknownModel(f"The model behind {name!r} is retired; an operator has to move its pin.", param="model")
    if not version.provider.is_usable or version.provider.kind not in KINDS:
        raise Unavailable(f"The provider behind {name!r} is switched off.", retry_after=60)


def limits_for(snapshot: Snapshot, asker: Asker, alias: str, *, is_copy: bool) -> Iterator[QuotaShape]:
    """Yield the limits that count a call; copies for a shadow have limits of their own."""
    for quota in snapshot.quotas.get(asker.team.id, ()):
        if (quota.purpose == Purpose.SHADOW) != is_copy:
            continue
        if quota.key_id is not None and (asker.key is None or asker.key.id not in quota.key_ids):
            continue
        if quota.alias and quota.alias != alias:
            continue
        yield quota


def _charges(
    snapshot: Snapshot,
    asker: Asker,
    ask: Ask,
    alias: str,
    prompt_tokens: int,
    output_tokens: int,
    price: PriceShape | None,
    version: VersionShape,
) -> tuple[Charge, ...]:
    """Return what each limit that applies must set aside: the most this call can come to."""
    charges = []
    for quota in limits_for(snapshot, asker, alias, is_copy=ask.type == EventType.SHADOW):
        if quota.metric == "tokens":
            amount = prompt_tokens + output_tokens
        elif quota.metric == "cost":
            if price is None:
                raise Unpriced(
                    f"{version.label} has no price, so it cannot be used where a cost limit applies.", param="model"
                )
            amount = price.most(prompt_tokens, output_tokens)
        else:
            amount = 1
        charges.append(Charge(quota, quota.period(ask.at), amount, quota.limit_at(ask.at)))
    return tuple(charges)
