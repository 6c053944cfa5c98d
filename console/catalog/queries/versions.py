"""Queries of the pages of model versions."""

import uuid
from dataclasses import dataclass

from django.db.models import Prefetch, Q, QuerySet

from console.catalog import where_used
from console.catalog.models import Alias, ModelVersion, Pin, Price, Provider
from console.core.clock import now
from console.core.where_used import Use
from console.teams.access import teams_for
from console.teams.callers import Caller


def price_now(version: ModelVersion) -> Price | None:
    """Return what a version costs at this moment. Reads `prices`, so prefetch them for lists."""
    moment = now()
    past = [price for price in version.prices.all() if price.effective_from <= moment]
    return max(past, key=lambda price: price.effective_from, default=None)


def versions_of(provider: Provider) -> list[ModelVersion]:
    """Return a provider's models with prices and pins, retired ones last."""
    pins = Pin.objects.select_related("alias").order_by("alias__name", "environment")
    rows = (
        ModelVersion.objects.filter(provider=provider)
        .select_related("provider")
        .prefetch_related("prices", Prefetch("pins", pins))
    )
    return sorted(rows, key=lambda version: (version.retired_at is not None, version.name))


@dataclass(frozen=True, slots=True)
class Dependent:
    """A pin that sends calls to a version, and what as."""

    pin: Pin
    roles: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.pin} ({', '.join(self.roles)})"


def _roles(pin: Pin, version: ModelVersion) -> tuple[str, ...]:
    is_one = {
        "pinned": pin.model_version_id == version.pk,
        "canary": pin.canary_version_id == version.pk,
        "shadow": pin.shadow_version_id == version.pk,
        "fallback": any(step.model_version_id == version.pk for step in pin.fallbacks.all()),
    }
    return tuple(role for role, holds in is_one.items() if holds)


def dependents(version: ModelVersion, aliases: QuerySet[Alias] | None = None) -> list[Dependent]:
    """Return the pins that use a version in any way; with `aliases`, of those the reader may see. Two queries."""
    uses = (
        Q(model_version=version)
        | Q(canary_version=version)
        | Q(shadow_version=version)
        | Q(fallbacks__model_version=version)
    )
    pins = Pin.objects.filter(uses) if aliases is None else Pin.objects.filter(uses, alias__in=aliases)
    pins = pins.select_related("alias").prefetch_related("fallbacks").distinct()
    return [Dependent(pin, _roles(pin, version)) for pin in pins.order_by("alias__name", "environment")]


def collections_with(version: ModelVersion, caller: Caller) -> list[Use]:
    """Return what a version makes vectors for, as far as the caller sees it."""
    uses = where_used.uses_of_version(version)
    if caller.is_operator or not uses:
        return uses
    teams = set(teams_for(caller).values_list("pk", flat=True))
    return [use for use in uses if use.team_id is None or use.team_id in teams]


def choices(*, or_this: uuid.UUID | None = None) -> QuerySet[ModelVersion]:
    """Return the versions a pin can be moved to, and the one that is chosen already."""
    return (
        ModelVersion.objects.filter(Q(retired_at=None, provider__is_enabled=True) | Q(pk=or_this))
        .select_related("provider")
        .prefetch_related("prices")
        .order_by("provider__name", "name")
    )
