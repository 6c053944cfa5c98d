"""Reads of the catalog: what its pages need, already joined."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Prefetch, Q, QuerySet, prefetch_related_objects

from console.catalog import where_used
from console.catalog.models import Alias, ModelVersion, Pin, PinMove, Price, Provider
from console.catalog.where_used import Traffic, Use
from console.core.clock import now
from console.teams.access import teams_for
from console.teams.callers import Caller
from console.teams.models import Environment, Team

_MOST_MOVES = 50
_WEEK, _MONTH = dt.timedelta(days=7), dt.timedelta(days=30)


def price_now(version: ModelVersion) -> Price | None:
    """Return what a version costs at this moment. Reads `prices`, so prefetch them for lists."""
    moment = now()
    past = [price for price in version.prices.all() if price.effective_from <= moment]
    return max(past, key=lambda price: price.effective_from, default=None)


@dataclass(frozen=True, slots=True)
class AliasRow:
    alias: Alias
    production: Pin | None
    sandbox: Pin | None
    traffic: Traffic

    @property
    def is_same(self) -> bool:
        """Say whether both environments mean the same version, which the list then says once."""
        return bool(
            self.production and self.sandbox and self.production.model_version_id == self.sandbox.model_version_id
        )

    @property
    def moved_at(self) -> dt.datetime | None:
        return max((pin.moved_at for pin in (self.production, self.sandbox) if pin), default=None)


def teams_shown(caller: Caller) -> "Prefetch[str, QuerySet[Team], str]":
    """Name only the caller's own teams among those of an alias; operators see archived ones too."""
    return Prefetch("teams", Team.objects.all() if caller.is_operator else teams_for(caller))


def alias_rows(aliases: QuerySet[Alias], caller: Caller) -> list[AliasRow]:
    """Return the aliases with their pins, teams, and calls of the last seven days. Four queries."""
    pins = Pin.objects.select_related("model_version__provider")
    traffic = where_used.traffic_of(
        now() - _WEEK, teams=list(teams_for(caller).values_list("pk", flat=True)), environment=Environment.PRODUCTION
    )
    rows = []
    for alias in aliases.prefetch_related(Prefetch("pins", pins), teams_shown(caller)):
        by_environment = {pin.environment: pin for pin in alias.pins.all()}
        rows.append(
            AliasRow(
                alias,
                by_environment.get(Environment.PRODUCTION),
                by_environment.get(Environment.SANDBOX),
                traffic.get(alias.name, Traffic()),
            )
        )
    return rows


def moves(aliases: QuerySet[Alias] | Sequence[Alias], limit: int = _MOST_MOVES) -> list[PinMove]:
    """Return the newest moves of the pins of these aliases."""
    return list(
        PinMove.objects.filter(pin__alias__in=aliases)
        .select_related("pin__alias", "from_version__provider", "to_version__provider")
        .order_by("-moved_at", "-id")[:limit]
    )


@dataclass(frozen=True, slots=True)
class Stop:
    """One environment of an alias: what the pin means there, what it meant before, and how it does."""

    environment: str
    pin: Pin | None
    before: ModelVersion | None
    traffic: Traffic

    @property
    def revision(self) -> int:
        return self.pin.revision if self.pin else 0


@dataclass(frozen=True, slots=True)
class AliasPage:
    alias: Alias
    sandbox: Stop
    production: Stop
    moves: list[PinMove]
    uses: list[Use]
    newest: dict[str, PinMove]

    @property
    def can_promote(self) -> bool:
        """Say whether production could follow sandbox."""
        tried, live = self.sandbox.pin, self.production.pin
        return bool(tried and (live is None or live.model_version_id != tried.model_version_id))

    @property
    def calls(self) -> int:
        return self.production.traffic.requests + self.sandbox.traffic.requests


def alias_page(alias: Alias, caller: Caller) -> AliasPage:
    """Return everything the page of one alias shows; uses of other teams are left out for members."""
    prefetch_related_objects([alias], teams_shown(caller))
    teams = list(teams_for(caller).values_list("pk", flat=True))
    pins = {pin.environment: pin for pin in Pin.objects.filter(alias=alias).select_related("model_version__provider")}
    history = moves([alias])
    newest: dict[str, PinMove] = {}
    for move in history:
        newest.setdefault(move.pin.environment, move)
    since = now() - _MONTH

    def stop(environment: str) -> Stop:
        last = newest.get(environment)
        traffic = where_used.traffic_of(since, teams=teams, environment=environment)
        return Stop(
            environment,
            pins.get(environment),
            last.from_version if last else None,
            traffic.get(alias.name, Traffic()),
        )

    uses = where_used.uses_of(alias)
    if not caller.is_operator:
        uses = [use for use in uses if use.team_id in teams]
    return AliasPage(
        alias=alias,
        sandbox=stop(Environment.SANDBOX),
        production=stop(Environment.PRODUCTION),
        moves=history,
        uses=uses,
        newest=newest,
    )


def providers(rows: QuerySet[Provider]) -> QuerySet[Provider]:
    """Return the providers with how many models they have in use (`models`) and how many pins point there (`pins`)."""
    return rows.annotate(
        models=Count("model_versions", filter=Q(model_versions__retired_at=None), distinct=True),
        pins=Count("model_versions__pins", distinct=True),
    ).order_by("-is_builtin", "name")


def versions_of(provider: Provider) -> list[ModelVersion]:
    """Return a provider's models with prices and pins, retired ones last."""
    pins = Pin.objects.select_related("alias").order_by("alias__name", "environment")
    rows = (
        ModelVersion.objects.filter(provider=provider)
        .select_related("provider")
        .prefetch_related("prices", Prefetch("pins", pins))
    )
    return sorted(rows, key=lambda version: (version.retired_at is not None, version.name))


def pins_of(version: ModelVersion, aliases: QuerySet[Alias]) -> list[Pin]:
    """Return the pins at a version, of those aliases the reader may see."""
    return list(
        Pin.objects.filter(model_version=version, alias__in=aliases)
        .select_related("alias")
        .order_by("alias__name", "environment")
    )


def choices() -> QuerySet[ModelVersion]:
    """Return the versions a pin can be moved to."""
    return (
        ModelVersion.objects.filter(retired_at=None, provider__is_enabled=True)
        .select_related("provider")
        .order_by("provider__name", "name")
    )
