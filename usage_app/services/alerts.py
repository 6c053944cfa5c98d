"""Notify once per period and threshold that a quota is nearly or fully used."""

from django.db import transaction
from django.template.loader import render_to_string

from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.notices.kinds import NoticeKind
from console.notices.services import notify
from console.teams.callers import SYSTEM
from usage_app.models import Mode, Quota, QuotaAlert, Window
from usage_app.queries.quota_state import QuotaState
from usage_app.queries.quotas import states

THRESHOLDS = (80, 100)
# A minute is over before a mail is read.
_WINDOWS = (Window.HOUR, Window.DAY, Window.MONTH)


def check_alerts() -> int:
    """Write what was passed since the last look, and have it told. Returns how many quotas were reported."""
    quotas = Quota.objects.filter(window__in=_WINDOWS, team__archived_at=None).select_related("team", "key")
    reported = 0
    for state in states(quotas, now=now()):
        passed = _passed(state)
        if passed:
            reported += _report(state, passed)
    return reported


def _passed(state: QuotaState) -> list[int]:
    """Return the thresholds that are passed.

    That end users reach a hard limit for each is what it is for; of a soft one the first who does is told of.
    """
    if state.quota.each_end_user:
        is_passed = state.quota.mode == Mode.SOFT and state.standing is not None and state.standing.at_limit
        return [100] if is_passed else []
    return [percent for percent in THRESHOLDS if state.limit > 0 and state.used * 100 >= state.limit * percent]


@transaction.atomic
def _report(state: QuotaState, passed: list[int]) -> bool:
    """Write the thresholds that are new for this period; tell only the highest of them."""
    quota = state.quota
    known = set(
        QuotaAlert.objects.filter(quota=quota, period_start=state.period_start).values_list("percent", flat=True)
    )
    new: list[QuotaAlert] = []
    for percent in sorted(set(passed) - known):
        # Another process may be here too: the constraint decides who tells.
        alert, created = QuotaAlert.objects.get_or_create(quota=quota, period_start=state.period_start, percent=percent)
        if created:
            new.append(alert)
    if not new:
        return False
    record(
        actions.QUOTA_ALERTED,
        actor=SYSTEM,
        target=quota,
        target_name=quota.title,
        detail={
            "metric": quota.metric,
            "percent": new[-1].percent,
            "used": state.used,
            "limit": state.limit,
            "mode": quota.mode,
        },
        surface="background",
    )
    _tell(state, new[-1])
    return True


def _whose(quota: Quota) -> str:
    return f"An end user of {quota.team}" if quota.each_end_user else str(quota.team)


def _tell(state: QuotaState, alert: QuotaAlert) -> None:
    """Have the owners of the team and the operators told."""
    quota, percent = state.quota, alert.percent
    context = {
        "who": _whose(quota),
        "quota": quota,
        "state": state,
        "percent": percent,
        "is_hard": quota.mode == Mode.HARD,
    }
    notify(
        NoticeKind.QUOTA,
        team=quota.team,
        title=f"{_whose(quota)} has used {'all' if percent >= 100 else f'{percent} %'} of its quota: {quota.title}",
        text=render_to_string("usage/quota_alert.txt", context),
        url=f"/quotas/?team={quota.team.slug}",
        facts={
            "type": "quota.passed",
            "quota": str(quota.public_id),
            "title": quota.title,
            "metric": quota.metric,
            "window": quota.window,
            "mode": quota.mode,
            "percent": percent,
            "used": state.used,
            "limit": state.limit,
            "period_start": state.period_start.isoformat(),
        },
        key=str(alert.pk),
    )
