"""Resolve the name of a model: which pin or version it means for a caller."""

from console.catalog.shapes import PinShape, VersionShape
from console.core.errors import NotAllowed, Unavailable
from console.gateway.errors import UnknownModel, unknown_model
from console.gateway.snapshot import Snapshot
from console.gateway.types import Asker
from console.providers.registry import KINDS


def resolve(snapshot: Snapshot, asker: Asker, model: str) -> tuple[str, PinShape]:
    """Return the alias and the pin a name means for this caller; the same 404 whether it is unknown or not theirs."""
    name, _, environment = model.partition("@")
    alias = snapshot.aliases.get(name)
    if alias is None or not alias.is_for(asker.team.id) or (asker.aliases and name not in asker.aliases):
        version = exact_version(snapshot, asker, model)
        if version is None:
            raise unknown_model(model)
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
