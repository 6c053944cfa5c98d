"""What the gateway's snapshot keeps of models and pins: plain values, no rows."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from console.catalog.models import Alias, ModelVersion, Provider
from console.core.crypto import SecretUnreadable, decrypt

# Prices are kept in millionths of a micro-unit per token, so that cost is whole numbers all the way.
_PARTS = 1_000_000


@dataclass(frozen=True, slots=True)
class PriceShape:
    effective_from: dt.datetime
    input: int
    cached_input: int
    output: int

    def cost(self, prompt: int, cached: int, completion: int) -> int:
        """Return the cost in micro-units of currency, rounded up."""
        parts = (prompt - cached) * self.input + cached * self.cached_input + completion * self.output
        return -(-parts // _PARTS)


@dataclass(frozen=True, slots=True)
class ProviderShape:
    id: uuid.UUID
    slug: str
    kind: str
    base_url: str
    secret: str
    is_usable: bool
    first_byte_seconds: int | None
    total_seconds: int | None


@dataclass(frozen=True, slots=True)
class VersionShape:
    id: uuid.UUID
    provider: ProviderShape
    name: str
    label: str
    context_tokens: int
    max_output_tokens: int
    capabilities: frozenset[str]
    is_retired: bool
    shutdown_on: dt.date | None
    created_at: dt.datetime
    prices: tuple[PriceShape, ...]  # newest first

    def price_at(self, moment: dt.datetime) -> PriceShape | None:
        for price in self.prices:
            if price.effective_from <= moment:
                return price
        return None


@dataclass(frozen=True, slots=True)
class PinShape:
    version: VersionShape
    default_parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AliasShape:
    name: str
    team_ids: frozenset[uuid.UUID]  # empty: for every team
    pins: dict[str, PinShape]
    created_at: dt.datetime

    def is_for(self, team_id: uuid.UUID) -> bool:
        return not self.team_ids or team_id in self.team_ids


def _provider(row: Provider) -> ProviderShape:
    secret, is_readable = "", True
    if row.secret:
        try:
            secret = decrypt(row.secret)
        except SecretUnreadable:
            is_readable = False
    return ProviderShape(
        id=row.pk,
        slug=row.slug,
        kind=row.kind,
        base_url=row.base_url.rstrip("/"),
        secret=secret,
        is_usable=row.is_enabled and is_readable,
        first_byte_seconds=row.first_byte_seconds,
        total_seconds=row.total_seconds,
    )


def version_shapes() -> dict[uuid.UUID, VersionShape]:
    providers = {row.pk: _provider(row) for row in Provider.objects.all()}
    found = {}
    for row in ModelVersion.objects.prefetch_related("prices"):
        provider = providers[row.provider_id]
        prices = []
        for price in row.prices.all():
            cached = price.input if price.cached_input is None else price.cached_input
            prices.append(
                PriceShape(
                    price.effective_from, int(price.input * _PARTS), int(cached * _PARTS), int(price.output * _PARTS)
                )
            )
        found[row.pk] = VersionShape(
            id=row.pk,
            provider=provider,
            name=row.name,
            label=f"{provider.slug}/{row.name}",
            context_tokens=row.context_tokens,
            max_output_tokens=row.max_output_tokens,
            capabilities=frozenset(row.capabilities),
            is_retired=row.retired_at is not None,
            shutdown_on=row.shutdown_on,
            created_at=row.created_at,
            prices=tuple(sorted(prices, key=lambda p: p.effective_from, reverse=True)),
        )
    return found


def alias_shapes(versions: dict[uuid.UUID, VersionShape]) -> dict[str, AliasShape]:
    return {
        row.name: AliasShape(
            name=row.name,
            team_ids=frozenset(team.pk for team in row.teams.all()),
            pins={p.environment: PinShape(versions[p.model_version_id], p.default_parameters) for p in row.pins.all()},
            created_at=row.created_at,
        )
        for row in Alias.objects.prefetch_related("pins", "teams")
    }
