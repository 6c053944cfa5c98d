"""What depends on an alias, and what besides pins on a model version.

Keys are known here. Quotas, prompts and agents live in rooms above, which the catalog does not import; they register a
source when the process starts (`AppConfig.ready`).
"""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.urls import reverse

from console.catalog.models import Alias, ModelVersion
from console.teams.models import ApiKey


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that depends on an alias. `holds` means that the alias cannot be deleted while it is there.

    Without a team it is the whole organisation's.

    `url` is its page, which opens to those with `opens_to` in its team.
    """

    kind: str
    name: str
    team_id: uuid.UUID | None
    team: str
    holds: bool = True
    url: str = ""
    opens_to: str = "view_team"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls of one alias in a span of time, from the roll-ups. `p95_us` is None when nothing was answered."""

    requests: int = 0
    errors: int = 0
    cost_micros: int = 0
    p95_us: int | None = None

    @property
    def cost_of_thousand(self) -> int | None:
        return self.cost_micros * 1000 // self.requests if self.requests else None


class Source:
    """What a room above knows of aliases; each says what it can of these, and nothing of the rest."""

    def uses(self, alias: str) -> list[Use]:
        return []

    def shadow_budgets(self, alias: str) -> dict[uuid.UUID, str]:
        """Return the teams that pay for shadow copies of their calls of an alias, with their names."""
        return {}

    def traffic(self, since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str) -> dict[str, Traffic]:
        """Return the calls of these teams since then, by alias."""
        return {}

    def traffic_by_model(
        self, alias: str, since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str
    ) -> dict[str, Traffic]:
        """Return the calls of one alias since the full hour before, by the version that served (`provider/name`)."""
        return {}


_sources: list[Source] = []


def register(source: Source) -> None:
    if source not in _sources:
        _sources.append(source)


def uses_of(alias: Alias) -> list[Use]:
    """Return everything that depends on an alias now, keys first."""
    keys = ApiKey.objects.filter(aliases__contains=[alias.name], revoked_at=None).select_related("team")
    found = [
        Use(
            "key",
            f"{key.name} {key.shown}",
            key.team_id,
            key.team.name,
            url=reverse("teams:key", args=[key.pk]),
            opens_to="manage_keys",
        )
        for key in keys.order_by("name")
    ]
    for source in _sources:
        found += source.uses(alias.name)
    return found


def shadow_budgets(alias: str) -> dict[uuid.UUID, str]:
    """Return the teams whose calls of an alias are copied to a shadow, with their names."""
    return {team: name for source in _sources for team, name in source.shadow_budgets(alias).items()}


def traffic_of(since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str) -> dict[str, Traffic]:
    """Return the calls of these teams since then, by alias."""
    found: dict[str, Traffic] = {}
    for source in _sources:
        found |= source.traffic(since, teams=teams, environment=environment)
    return found


def traffic_by_model(
    alias: str, since: dt.datetime, *, teams: Sequence[uuid.UUID], environment: str
) -> dict[str, Traffic]:
    """Return the calls of one alias since the full hour before, by the version that served (`provider/name`)."""
    found: dict[str, Traffic] = {}
    for source in _sources:
        found |= source.traffic_by_model(alias, since, teams=teams, environment=environment)
    return found


# Each returns what uses a version itself, not an alias that is pinned to it.
VERSION_SOURCES: list[Callable[[ModelVersion], list[Use]]] = []


def uses_of_version(version: ModelVersion) -> list[Use]:
    return [use for source in VERSION_SOURCES for use in source(version)]
