"""The part of a plan about alert rules, identified by what they watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.core.formatting import plural
from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import Ref, differences
from console.teams.models import Environment
from usage_app.models import AlertRule
from usage_app.services import alert_rules as services

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_MINUTES, _LEAST_CALLS = 10, 20


def _name(team: str | None, metric: str, environment: str, alias: str, minutes: int) -> str:
    calls = f"{alias}@{environment}" if alias else environment
    return f"{metric} in {plural(minutes, 'minute')} of {team or 'all teams'}, {calls}"


def name_of(entry: Entry) -> str:
    environment, alias = entry.get("environment", Environment.PRODUCTION.value), entry.get("alias", "")
    return _name(entry.get("team"), entry["metric"], environment, alias, entry.get("minutes", _MINUTES))


def ref_of(entry: Entry) -> Ref:
    return "rule", name_of(entry)


class AlertRulePlan:
    """Adds the steps of alert rules to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        rows = AlertRule.objects.filter(team__archived_at=None).select_related("team")
        self.rows = {
            _name(row.team.slug if row.team else None, row.metric, row.environment, row.alias, row.minutes): row
            for row in rows
        }

    def rule(self, entry: Entry) -> None:
        if not entry.has("threshold"):
            return
        if entry.has("team") and not self.plan.is_there(entry, "team", "team", entry["team"]):
            return
        if entry.has("alias") and not self.plan.is_there(entry, "alias", "alias", entry["alias"]):
            return
        name = name_of(entry)
        wanted = {field: entry[field] for field in ("threshold", "least_calls") if entry.has(field)}
        row = self.rows.get(name)
        if row is None:
            self._create(entry, name, {"least_calls": _LEAST_CALLS} | wanted)
            return
        fields = differences({field: (getattr(row, field), value) for field, value in wanted.items()})

        def change() -> None:
            services.change_rule(actor=self.plan.actor, rule=row, **wanted)

        self.plan.change(entry, "rule", name, fields, change)

    def _create(self, entry: Entry, name: str, wanted: dict[str, int]) -> None:
        def make() -> None:
            services.create_rule(
                actor=self.plan.actor,
                team=self.plan.team(entry) if entry.has("team") else None,
                metric=entry["metric"],
                environment=entry.get("environment", Environment.PRODUCTION.value),
                alias=entry.get("alias", ""),
                minutes=entry.get("minutes", _MINUTES),
                **wanted,
            )

        needs = {(noun, entry[noun]) for noun in ("team", "alias") if entry.has(noun)}
        self.plan.create(entry, "rule", name, wanted, make, frozenset(needs))
