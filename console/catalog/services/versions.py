"""Add, change, price and retire model versions."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from console.audit import actions
from console.audit.services import changes, record
from console.catalog.models import AMOUNTS, Amounts, Capability, ModelVersion, Price, Provider
from console.catalog.names import check_model_name
from console.catalog.queries.versions import dependents
from console.core.clock import now
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import hold, insert
from console.providers.registry import KINDS, OFFERS
from console.teams.callers import Actor

_FIELDS = ("description", "context_tokens", "max_output_tokens", "capabilities", "shutdown_on", "successor")
_LARGEST_PRICE = Decimal(999_999)
_LARGEST_CONTEXT = 100_000_000


def _check(version: ModelVersion) -> None:
    for name in ("context_tokens", "max_output_tokens"):
        if not 1 <= getattr(version, name) <= _LARGEST_CONTEXT:
            raise BadInput(f"{getattr(version, name)} tokens cannot be a limit; write 1 or more.", param=name)
    if version.max_output_tokens > version.context_tokens:
        raise BadInput(
            f"The output limit ({version.max_output_tokens}) is larger than the context ({version.context_tokens}); "
            "write at most the context.",
            param="max_output_tokens",
        )
    for capability in version.capabilities:
        if capability not in Capability.values:
            raise BadInput(
                f"{capability!r} is not a capability; choose from {', '.join(Capability.values)}.",
                param="capabilities",
            )
        kind = version.provider.kind
        if kind in KINDS and kind not in OFFERS.get(capability, KINDS):
            raise BadInput(
                f"{KINDS[kind].label} does not offer {capability}; leave it out of what the model can do.",
                param="capabilities",
            )
    if version.successor_id == version.pk:
        raise BadInput("A model version cannot be its own successor.", param="successor")


def _in_form(name: str, value: Any) -> Any:
    """Return a field as it is kept."""
    if name == "description":
        return value.strip()
    return in_order(value or [Capability.CHAT]) if name == "capabilities" else value


def _logged(version: ModelVersion) -> dict[str, Any]:
    shown = {name: getattr(version, name) for name in _FIELDS}
    shown["successor"] = str(version.successor) if version.successor else None
    shown["shutdown_on"] = version.shutdown_on.isoformat() if version.shutdown_on else None
    shown["capabilities"] = list(version.capabilities)
    return shown


def in_order(capabilities: Sequence[str]) -> list[str]:
    """Return the capabilities once each, in the order of the list of all, so that equal sets compare equal."""
    known = [c for c in Capability.values if c in capabilities]
    return known + [c for c in dict.fromkeys(capabilities) if c not in known]


@transaction.atomic
def create_version(*, actor: Actor, provider: Provider, name: str, **fields: Any) -> ModelVersion:
    """Add one exact model of a provider. Without a price its calls cost nothing; see `set_price`."""
    provider = hold(provider)  # before the epoch, as removing it
    fields = {field: _in_form(field, value) for field, value in ({"capabilities": []} | fields).items()}
    version = ModelVersion(provider=provider, name=check_model_name(name.strip()), **fields)
    _check(version)
    insert(version, Conflict(f"{provider.name} has a model {name!r} already.", param="name"))
    record(actions.MODEL_CREATED, actor=actor, target=version, detail={"after": _logged(version)})
    return version


@transaction.atomic
def change_version(
    *, actor: Actor, version: ModelVersion, seen_revision: int | None = None, **fields: Any
) -> ModelVersion:
    """Change limits, capabilities, description, announced shutdown or successor. Name and provider never change."""
    unknown = set(fields) - set(_FIELDS)
    if unknown:
        raise TypeError(f"A model version has no {', '.join(sorted(unknown))} to change.")
    version = hold(version, "provider")
    check_revision(version, version.revision, seen_revision)
    before = _logged(version)
    for name, value in fields.items():
        setattr(version, name, _in_form(name, value))
    _check(version)
    after = _logged(version)
    if before == after:
        return version
    version.revision += 1
    version.save(update_fields=[*fields, "revision"])
    record(actions.MODEL_CHANGED, actor=actor, target=version, detail=changes(before, after))
    return version


@transaction.atomic
def retire_version(*, actor: Actor, version: ModelVersion) -> ModelVersion:
    """Take a model version out of use for good. Refused while a pin uses it, as what it means or beside it."""
    version = hold(version, "provider")
    if version.retired_at is not None:
        return version
    using = [str(dependent) for dependent in dependents(version)]
    if using:
        raise Conflict(f"{version} is still used by {', '.join(using)}; change these pins first.")
    version.retired_at, version.revision = now(), version.revision + 1
    version.save(update_fields=["retired_at", "revision"])
    record(actions.MODEL_RETIRED, actor=actor, target=version)
    return version


def _check_price(name: str, value: Decimal | None) -> None:
    if value is None:
        return
    if not value.is_finite() or not 0 <= value <= _LARGEST_PRICE:
        raise BadInput(f"{value} cannot be a price; write 0 or more.", param=name)
    if value != value.quantize(Decimal("0.000001")):
        raise BadInput(f"{value} has more than six decimals.", param=name)


def _check_long(amounts: Amounts) -> None:
    above, has_amounts = amounts.long_above, amounts.long_input is not None or amounts.long_output is not None
    if above is None and has_amounts:
        raise BadInput("Say above how many tokens of input that is the price.", param="long_above")
    if above is not None and not has_amounts:
        raise BadInput(f"Say what input or output costs above {above:,} tokens of input.", param="long_input")
    if above is not None and not 1 <= above <= _LARGEST_CONTEXT:
        raise BadInput(f"{above} tokens cannot be a length; write 1 or more.", param="long_above")


@transaction.atomic
def set_price(
    *,
    actor: Actor,
    version: ModelVersion,
    amounts: Amounts,
    effective_from: dt.datetime | None = None,
    source: str = "",
) -> Price:
    """Say what a model version costs from a moment on. What was charged before stays as it was.

    `source` is where the price was taken from, for the log.
    """
    moment = now()
    if amounts.output is None:
        if set(version.capabilities) != {Capability.EMBEDDING}:
            raise BadInput("Say what output costs; only models for embeddings have none.", param="output")
        amounts = replace(amounts, output=Decimal(0))
    if effective_from is not None and effective_from < moment - dt.timedelta(minutes=1):
        raise BadInput("A price cannot begin in the past: those calls are charged already.", param="effective_from")
    _check_long(amounts)
    parts = asdict(amounts)
    for name in AMOUNTS:
        _check_price(name, parts[name])
    try:
        with transaction.atomic():
            price = Price.objects.create(
                model_version=version, effective_from=max(effective_from or moment, moment), **parts
            )
    except IntegrityError:
        raise Conflict(
            "There is a price from that moment on already; choose another.", param="effective_from"
        ) from None
    after = {name: None if parts[name] is None else f"{parts[name].normalize():f}" for name in AMOUNTS}
    after["long_above"] = None if amounts.long_above is None else str(amounts.long_above)
    after["effective_from"] = price.effective_from.isoformat()
    detail = {"after": after} | ({"source": source} if source else {})
    record(actions.PRICE_SET, actor=actor, target=version, detail=detail)
    return price
