"""Error rate and latency in the minutes of an alert rule."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from console.core.clock import now, period_start
from console.core.formatting import plural
from console.core.histogram import percentile
from console.teams.models import Team
from usage_app.models import AlertRule, RuleMetric
from usage_app.sql.minutes import Minutes, minutes_summed

# What ended in a minute is summed up within seconds of its end.
_SUMMED_UP_AFTER = dt.timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Measured:
    """A rule and what it measured in its last minutes: `value` in the unit of its threshold, of so many calls."""

    rule: AlertRule
    calls: int
    value: float | None

    @property
    def is_enough(self) -> bool:
        return self.calls >= self.rule.least_calls

    @property
    def is_above(self) -> bool:
        return self.is_enough and self.value is not None and self.value > self.rule.threshold

    @property
    def value_text(self) -> str:
        of = plural(self.calls, "call")
        return f"{self.rule.shown(self.value)} of {of}" if self.value is not None else "No calls"


def measure(rules: Sequence[AlertRule]) -> list[Measured]:
    """Look at the last whole minutes of each rule, as many as it says. One query."""
    until = period_start("minute", now() - _SUMMED_UP_AFTER)
    wanted = [
        Minutes(rule.team_id, until - dt.timedelta(minutes=rule.minutes), rule.environment, rule.alias)
        for rule in rules
    ]
    return [_measured(rule, *sums) for rule, sums in zip(rules, minutes_summed(wanted, until), strict=True)]


def _measured(rule: AlertRule, calls: int, errors: int, latency: list[int]) -> Measured:
    if rule.metric == RuleMetric.ERRORS:
        return Measured(rule, calls, round(errors * 100 / calls, 2) if calls else None)
    p95 = percentile(latency, 95)
    return Measured(rule, sum(latency), None if p95 is None else round(p95 / 1000))


def rules_of(team: Team | None) -> list[Measured]:
    """Return the rules of a team, or of the installation, and what they measure now."""
    return measure(list(AlertRule.objects.filter(team=team).order_by("created_at", "id")))
