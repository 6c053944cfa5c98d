"""Queries of the pages of aliases and pins."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from console.catalog import traffic as alias_traffic
from console.catalog import where_used
from console.catalog.models import Alias, ModelVersion, Pin, PinFallback, PinMove, PinProposal
from console.catalog.queries.comparison import lacks
from console.catalog.traffic import Traffic
from console.core.clock import now
from console.core.where_used import Use
from console.teams.access import teams_for
from console.teams.callers import Caller
from console.teams.models import Environment, Team

_MOST_MOVES = 50
# Fewer calls say nothing about how often a version fails.
_ENOUGH_CALLS = 50
_WEEK, _MONTH = dt.timedelta(days=7), dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class AliasRow:
    alias: Alias
    production: Pin | None
    sandbox: Pin | None
    traffic: Traffic

    @property
    def is_same(self) -> bool:
        """Return whether both environments mean the same version, which the list then says once."""
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
    traffic = alias_traffic.source().by_alias(
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


class Gap(NamedTuple):
    """A version in a role of a pin, and what it lacks beside the one it answers in place of."""

    role: str
    version: ModelVersion
    lacks: list[str]
    beside: ModelVersion


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

    @property
    def fallbacks(self) -> list[PinFallback]:
        return list(self.pin.fallbacks.all()) if self.pin else []

    @property
    def gaps(self) -> list[Gap]:
        """What callers would miss with a version that may answer in place of another, or does since the last move."""
        if self.pin is None:
            return []
        pinned, others = self.pin.model_version, [("fallback", step.model_version) for step in self.fallbacks]
        if self.pin.canary_version is not None:
            others.insert(0, ("canary", self.pin.canary_version))
        found = [Gap(role, version, lacks(version, pinned), pinned) for role, version in others]
        if self.before is not None:
            found.insert(0, Gap("pin", pinned, lacks(pinned, self.before), self.before))
        return [gap for gap in found if gap.lacks]

    @property
    def shutdown_on(self) -> dt.date | None:
        return self.pin.model_version.shutdown_on if self.pin else None


@dataclass(frozen=True, slots=True)
class Canary:
    """A version that a share of the callers gets, beside the one everybody else gets, since it began."""

    version: ModelVersion
    percent: int
    since: dt.datetime | None
    traffic: Traffic
    stable: Traffic

    @property
    def calls(self) -> int:
        return self.traffic.requests + self.stable.requests

    @property
    def bar_stable(self) -> int:
        """How wide the stable part of the bar is, in percent, with a gap beside the canary's."""
        return max(0, 99 - self.percent)

    @property
    def is_worse(self) -> bool:
        """Return whether it fails more often than the version it would replace, with enough calls to say so."""
        mine, theirs = self.traffic, self.stable
        if mine.requests < _ENOUGH_CALLS or theirs.requests < _ENOUGH_CALLS:
            return False
        return mine.errors * theirs.requests > 2 * theirs.errors * mine.requests and mine.errors > 1


@dataclass(frozen=True, slots=True)
class AliasPage:
    alias: Alias
    sandbox: Stop
    production: Stop
    canary: Canary | None
    moves: list[PinMove]
    uses: list[Use]
    proposals: list[PinProposal]
    shadow_budgets: list[str]  # the teams whose calls are copied to a shadow, if there is one

    @property
    def can_promote(self) -> bool:
        """Return whether production could follow sandbox."""
        tried, live = self.sandbox.pin, self.production.pin
        return bool(tried and (live is None or live.model_version_id != tried.model_version_id))

    @property
    def calls(self) -> int:
        return self.production.traffic.requests + self.sandbox.traffic.requests

    def stop(self, environment: str) -> Stop:
        return self.production if environment == Environment.PRODUCTION else self.sandbox


def _pins_of(alias: Alias) -> dict[str, Pin]:
    chain = PinFallback.objects.select_related("model_version__provider").prefetch_related("model_version__prices")
    pins = Pin.objects.filter(alias=alias).select_related(
        "model_version__provider", "canary_version__provider", "shadow_version__provider"
    )
    return {
        pin.environment: pin
        for pin in pins.prefetch_related(
            "model_version__prices", "canary_version__prices", Prefetch("fallbacks", chain)
        )
    }


def _canary(pin: Pin | None, alias: Alias, teams: list[uuid.UUID]) -> Canary | None:
    if pin is None or pin.canary_version is None:
        return None
    since = (pin.canary_since or pin.moved_at).replace(minute=0, second=0, microsecond=0)
    traffic = alias_traffic.source().by_model(alias.name, since, teams=teams, environment=pin.environment)
    return Canary(
        version=pin.canary_version,
        percent=pin.canary_percent,
        since=pin.canary_since,
        traffic=traffic.get(str(pin.canary_version), Traffic()),
        stable=traffic.get(str(pin.model_version), Traffic()),
    )


def _before(history: list[PinMove], environment: str) -> ModelVersion | None:
    """Return what a pin meant before it last meant something else."""
    return next((m.from_version for m in history if m.pin.environment == environment and m.is_move), None)


def alias_page(alias: Alias, caller: Caller) -> AliasPage:
    """Return everything the page of one alias shows; uses of other teams are left out for members."""
    prefetch_related_objects([alias], teams_shown(caller))
    teams = list(teams_for(caller).values_list("pk", flat=True))
    pins, history, since = _pins_of(alias), moves([alias]), now() - _MONTH

    def stop(environment: str) -> Stop:
        traffic = alias_traffic.source().by_alias(since, teams=teams, environment=environment)
        before = _before(history, environment)
        return Stop(environment, pins.get(environment), before, traffic.get(alias.name, Traffic()))

    uses = where_used.uses_of(alias)
    budgets = (
        alias_traffic.source().shadow_budgets(alias.name) if any(pin.shadow_version_id for pin in pins.values()) else {}
    )
    if not caller.is_operator:
        budgets = {team: name for team, name in budgets.items() if team in teams}
        uses = [use for use in uses if use.team_id in teams]
    uses = [use if caller.may(use.opens_to, use.team_id) else replace(use, url="") for use in uses]
    return AliasPage(
        alias=alias,
        sandbox=stop(Environment.SANDBOX),
        production=stop(Environment.PRODUCTION),
        canary=_canary(pins.get(Environment.PRODUCTION), alias, teams),
        moves=history,
        uses=uses,
        proposals=list(alias.proposals.filter(decision="")) if caller.is_operator else [],
        shadow_budgets=sorted(budgets.values()),
    )


def open_proposals() -> QuerySet[PinProposal]:
    """Return the changes that wait for a second person, the longest first."""
    return PinProposal.objects.filter(decision="").select_related("alias").order_by("proposed_at", "id")
