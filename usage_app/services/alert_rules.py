"""Create, change and remove alert rules; notify once when an alert starts, and once when it ends."""

import datetime as dt
import logging
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from console.audit import actions
from console.audit.services import changes, record
from console.catalog.models import Alias
from console.core.clock import now
from console.core.errors import BadInput, Conflict, check_revision
from console.core.formatting import plural
from console.core.races import count_held, hold, insert
from console.notices.kinds import NoticeKind
from console.notices.services import notify
from console.teams.actors import Actor
from console.teams.callers import SYSTEM
from console.teams.models import Environment, Team
from usage_app.models import AlertRule, RuleMetric
from usage_app.queries.alert_rules import Measured, measure
from usage_app.sql.minutes import forget_minutes

log = logging.getLogger(__name__)

MOST_RULES = 20
MOST_MINUTES = 60
MOST_CALLS = 1_000_000
# In percent, and in milliseconds: an hour.
MOST: dict[str, int] = {RuleMetric.ERRORS: 99, RuleMetric.LATENCY: 3_600_000}
# Of one rule, so that calls that go well and badly by turns are told of now and then.
_TOLD_EVERY = dt.timedelta(hours=1)


@transaction.atomic
def create_rule(
    *,
    actor: Actor,
    team: Team | None,
    metric: str,
    threshold: int,
    minutes: int,
    least_calls: int,
    environment: str = Environment.PRODUCTION,
    alias: str = "",
) -> AlertRule:
    """Have the owners of a team told how its calls go, or the operators how those of all teams do."""
    if metric not in RuleMetric.values:
        raise BadInput(f"{metric!r} is not a metric; choose {' or '.join(RuleMetric.values)}.", param="metric")
    _check(metric, threshold, minutes, least_calls)
    if environment not in Environment.values:
        raise BadInput(
            f"{environment!r} is not an environment; choose {' or '.join(Environment.values)}.", param="environment"
        )
    if alias and not aliases_of(team).filter(name=alias).exists():
        raise BadInput(f"There is no alias {alias!r}{f' for {team}' if team else ''}.", param="alias")
    if count_held(AlertRule.objects.filter(team=team)) >= MOST_RULES:
        raise Conflict(f"There are {MOST_RULES} alert rules already; remove one first.")
    rule = AlertRule(
        team=team,
        metric=metric,
        environment=environment,
        alias=alias,
        threshold=threshold,
        minutes=minutes,
        least_calls=least_calls,
    )
    insert(rule, _same_rule())
    record(
        actions.ALERT_RULE_CREATED, actor=actor, target=rule, target_name=str(rule), team=team,
        detail={"after": _facts(rule)},
    )  # fmt: skip
    return rule


@transaction.atomic
def change_rule(
    *,
    actor: Actor,
    rule: AlertRule,
    threshold: int | None = None,
    minutes: int | None = None,
    least_calls: int | None = None,
    seen_revision: int | None = None,
) -> AlertRule:
    """Change what is given. Overtaken when the rule was changed since it was seen."""
    rule = hold(rule, "team")
    check_revision(rule, rule.revision, seen_revision)
    before = _facts(rule)
    rule.threshold = rule.threshold if threshold is None else threshold
    rule.minutes = rule.minutes if minutes is None else minutes
    rule.least_calls = rule.least_calls if least_calls is None else least_calls
    _check(rule.metric, rule.threshold, rule.minutes, rule.least_calls)
    if _facts(rule) == before:
        return rule
    if _same(rule).exclude(pk=rule.pk).exists():
        raise _same_rule()
    rule.revision += 1
    rule.save(update_fields=["threshold", "minutes", "least_calls", "revision"])
    record(
        actions.ALERT_RULE_CHANGED, actor=actor, target=rule, target_name=str(rule), team=rule.team,
        detail=changes(before, _facts(rule)),
    )  # fmt: skip
    return rule


@transaction.atomic
def delete_rule(*, actor: Actor, rule: AlertRule) -> None:
    """Remove a rule; that what it alerts of is over is told nobody."""
    rule = hold(rule, "team")
    record(
        actions.ALERT_RULE_DELETED, actor=actor, target=rule, target_name=str(rule), team=rule.team,
        detail={"before": _facts(rule)},
    )  # fmt: skip
    rule.delete()


def _check(metric: str, threshold: int, minutes: int, least_calls: int) -> None:
    most = MOST[metric]
    if not 1 <= threshold <= most:
        unit = "percent" if metric == RuleMetric.ERRORS else "milliseconds"
        raise BadInput(f"A threshold is a whole number of {unit} from 1 to {most:,}.", param="threshold")
    if not 1 <= minutes <= MOST_MINUTES:
        raise BadInput(f"Choose 1 to {MOST_MINUTES} minutes.", param="minutes")
    if not 1 <= least_calls <= MOST_CALLS:
        raise BadInput(f"Choose 1 to {MOST_CALLS:,} calls.", param="least_calls")


def aliases_of(team: Team | None) -> QuerySet[Alias]:
    """Return the aliases a rule of the team can be of; of the installation's, all."""
    open_to = Alias.objects.filter(Q(teams=team) | Q(teams=None)) if team is not None else Alias.objects.all()
    return open_to.order_by("name")


def _same(rule: AlertRule) -> QuerySet[AlertRule]:
    return AlertRule.objects.filter(
        team=rule.team, metric=rule.metric, environment=rule.environment, alias=rule.alias, minutes=rule.minutes
    )


def _same_rule() -> Conflict:
    return Conflict("There is a rule of these calls and minutes already; change its threshold.", param="minutes")


def _facts(rule: AlertRule) -> dict[str, Any]:
    said = {
        "metric": rule.metric, "environment": rule.environment, "threshold": rule.threshold, "minutes": rule.minutes,
        "least_calls": rule.least_calls,
    }  # fmt: skip
    return {**said, "alias": rule.alias} if rule.alias else said


def check_rules() -> int:
    """Look at each rule, and tell what changed. Returns how many alerts started or ended."""
    rules = AlertRule.objects.filter(Q(team=None) | Q(team__archived_at=None)).select_related("team")
    told = sum(map(_looked, measure(list(rules.order_by("created_at", "id")))))
    forget_minutes()
    return told


def _looked(measured: Measured) -> bool:
    """Look at one rule; what breaks there keeps nobody from being told of the others."""
    try:
        return _look(measured)
    except Exception:
        log.exception("One alert rule could not be looked at; the others go on.")
        return False


def _look(measured: Measured) -> bool:
    """Start or end the rule's alert, if that is due; another process that looks at the same moment does nothing."""
    rule, moment = measured.rule, now()
    if measured.is_above == (rule.alerting_since is not None):
        return False
    if measured.is_above and rule.told_at is not None and moment - rule.told_at < _TOLD_EVERY:
        return False
    with transaction.atomic():
        same = AlertRule.objects.filter(pk=rule.pk, revision=rule.revision, alerting_since=rule.alerting_since)
        if measured.is_above:
            if not same.update(alerting_since=moment, told_at=moment):
                return False
            rule.alerting_since = moment
            _tell(measured, actions.ALERT_STARTED)
        else:
            if not same.update(alerting_since=None):
                return False
            _tell(measured, actions.ALERT_ENDED)
    return True


def _tell(measured: Measured, action: actions.Action) -> None:
    """Have the owners of the team and the operators told; of the installation's rule, the operators alone."""
    rule, team = measured.rule, measured.rule.team
    assert rule.alerting_since is not None
    starts, is_errors = action is actions.ALERT_STARTED, rule.metric == RuleMetric.ERRORS
    whose = f"Calls of {team}" if team is not None else "Calls of all teams"
    whose += f" to {rule.alias}" if rule.alias else ""
    whose += "" if rule.environment == Environment.PRODUCTION else f" in {rule.environment}"
    record(
        action, actor=SYSTEM, target=rule, target_name=str(rule), team=team,
        detail={"value": measured.value, "calls": measured.calls, **_facts(rule)}, surface="background",
    )  # fmt: skip
    scope = f"&team={team.slug}" if team is not None else ""
    scope += "" if rule.environment == Environment.PRODUCTION else f"&environment={rule.environment}"
    of = f"&alias={rule.alias}" if rule.alias else ""
    notify(
        NoticeKind.CALLS,
        team=team,
        title=f"{whose} {_title(measured, starts=starts)}",
        text=_text(measured, starts=starts),
        url=f"/audit/?range=1h&status=error{of}{scope}" if is_errors and starts else f"/?span=24h{scope}",
        facts={
            "type": ("calls.failing" if is_errors else "calls.slow") if starts else "calls.recovered",
            "rule": str(rule.pk),
            **_facts(rule),
            "value": measured.value,
            "calls": measured.calls,
            "since": rule.alerting_since.isoformat(),
        },
        key=f"{rule.pk}:{rule.alerting_since.isoformat()}:{'starts' if starts else 'ends'}",
    )


def _title(measured: Measured, *, starts: bool) -> str:
    trouble = "fail" if measured.rule.metric == RuleMetric.ERRORS else "are slow"
    if starts:
        return f"{trouble}: {measured.value_text}"
    return f"no longer {trouble}" if measured.is_enough else f"are too few to say whether they still {trouble}"


def _text(measured: Measured, *, starts: bool) -> str:
    rule = measured.rule
    what = "Error rate, as callers met it" if rule.metric == RuleMetric.ERRORS else "Latency, 95th percentile"
    last = f"in the last {plural(rule.minutes, 'minute')}"
    if starts:
        says = f"The alert rule says: {rule}, of {plural(rule.least_calls, 'call')} or more."
        return f"{what}, {last}: {measured.value_text}.\n{says}\nYou will be told when it is over."
    assert rule.alerting_since is not None
    since = f"You were told of it on {rule.alerting_since:%Y-%m-%d at %H:%M} UTC."
    if not measured.is_enough:
        return f"There were {plural(measured.calls, 'call')} {last}, too few to say how they go.\n{since}"
    return f"{what}, {last}: {measured.value_text}.\n{since}"
