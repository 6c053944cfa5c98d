"""From an ask to a plan, in memory: which model, what it may cost, and which limits count it."""

from typing import Any

from console.catalog.shapes import PinShape, PriceShape, VersionShape
from console.core.errors import BadInput, NotAllowed, Unavailable
from console.gateway.errors import UnknownModel
from console.gateway.snapshot import Snapshot
from console.gateway.types import Ask, Asker, Charge, Plan
from console.providers.registry import KINDS
from console.providers.types import Endpoint

# Counted for every picture, whose bytes say little about its tokens.
_TOKENS_PER_IMAGE = 1500


def make_plan(snapshot: Snapshot, asker: Asker, ask: Ask, *, default_output: int) -> Plan:
    """Resolve an ask against the snapshot. Raises Refusal; asks no database."""
    alias, pin = resolve(snapshot, asker, ask.model)
    version = pin.version
    _check_fit(version, ask)
    price = version.price_at(ask.at)
    body, output_tokens = _upstream_body(ask, pin, default_output)
    prompt_tokens = estimate_tokens(ask.text)
    charges = _charges(snapshot, asker, ask, alias, prompt_tokens, output_tokens, price, version)
    provider = version.provider
    kind = KINDS[provider.kind]
    return Plan(
        epoch=snapshot.epoch,
        asker=asker,
        ask=ask,
        alias=alias,
        version=version,
        kind=kind,
        price=price,
        outgoing=kind.chat(Endpoint(provider.base_url, provider.secret), body, is_legacy=ask.is_legacy),
        lane="interactive" if ask.is_stream else "standard",
        prompt_tokens=prompt_tokens,
        charges=charges,
        record=start_record(
            asker,
            ask,
            epoch=snapshot.epoch,
            alias=alias,
            model=version.label,
            model_version_id=version.id,
            lane="interactive" if ask.is_stream else "standard",
            prompt_tokens=prompt_tokens,
            cost_micros=price.cost(prompt_tokens, 0, 0) if price else 0,
        ),
    )


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
        raise UnknownModel(
            f"The model {model[:100]!r} does not exist or this key may not call it. GET /v1/models lists what it may.",
            param="model",
        )
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
    if pin.version.is_retired:
        raise UnknownModel(f"The model behind {name!r} is retired; an operator has to move its pin.", param="model")
    if not pin.version.provider.is_usable or pin.version.provider.kind not in KINDS:
        raise Unavailable(f"The provider behind {name!r} is switched off.", retry_after=60)
    return name, pin


def _check_fit(version: VersionShape, ask: Ask) -> None:
    """Refuse what the model cannot do, by the name of the field that asks for it."""
    able, body = version.capabilities, ask.body
    if "chat" not in able:
        raise BadInput(f"The model behind {ask.model!r} does not chat.", param="model")
    if (body.get("tools") or body.get("functions")) and "tools" not in able:
        raise BadInput(f"The model behind {ask.model!r} cannot call tools.", param="tools")
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind in {"json_object", "json_schema"} and "json_schema" not in able:
        raise BadInput(f"The model behind {ask.model!r} cannot promise {kind}.", param="response_format.type")


def _upstream_body(ask: Ask, pin: PinShape, default_output: int) -> tuple[dict[str, Any], int]:
    """Return the body for the provider and the most tokens it may answer with, over all its choices."""
    body = {**pin.default_parameters, **ask.body, "model": pin.version.name}
    asked = body.get("max_completion_tokens") or body.get("max_tokens")
    most = min(asked or default_output, pin.version.max_output_tokens)
    if body.get("max_completion_tokens"):
        body["max_completion_tokens"] = most
        body.pop("max_tokens", None)
    elif "reasoning" in pin.version.capabilities and not body.get("max_tokens"):
        body["max_completion_tokens"] = most
    else:
        body["max_tokens"] = most
    return body, most * (body.get("n") or 1)


def estimate_tokens(text: str) -> int:
    """Return an upper estimate of a body's tokens: four bytes each, fewer for other scripts, pictures flat."""
    pictures = text.count('"image_url"') // 2 if '"image_url"' in text else 0
    if pictures:
        text = _without_data_urls(text)
    characters = len(text)
    more = 0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) - characters
    return characters // 4 + more * 3 // 5 + pictures * _TOKENS_PER_IMAGE + 8


def _without_data_urls(text: str) -> str:
    head, *rest = text.split("data:image/")
    return head + "".join(part.partition('"')[2] for part in rest)


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
    for quota in snapshot.quotas.get(asker.team.id, ()):
        if quota.key_id is not None and (asker.key is None or asker.key.id not in quota.key_ids):
            continue
        if quota.alias and quota.alias != alias:
            continue
        if quota.metric == "tokens":
            amount = prompt_tokens + output_tokens
        elif quota.metric == "cost":
            if price is None:
                raise NotAllowed(
                    f"{version.label} has no price, so it cannot be used where a cost limit applies.", param="model"
                )
            amount = price.cost(prompt_tokens, 0, output_tokens)
        else:
            amount = 1
        charges.append(Charge(quota, quota.period(ask.at), amount, quota.limit_at(ask.at)))
    return tuple(charges)
