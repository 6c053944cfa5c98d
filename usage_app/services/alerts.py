"""Tell people, once per period and threshold, that a quota is nearly or entirely used."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string

from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.teams.callers import SYSTEM
from console.teams.models import Role, Team, User
from usage_app.models import Mode, Quota, QuotaAlert, Window
from usage_app.queries.quotas import QuotaState, states

log = logging.getLogger(__name__)

THRESHOLDS = (80, 100)
# A minute is over before a mail is read.
_WINDOWS = (Window.HOUR, Window.DAY, Window.MONTH)


def check_alerts() -> int:
    """Write what was passed since the last look, and mail it. Returns how many quotas were reported."""
    quotas = Quota.objects.filter(window__in=_WINDOWS, team__archived_at=None).select_related("team", "key")
    reported = 0
    for state in states(quotas, now=now()):
        passed = [percent for percent in THRESHOLDS if state.limit > 0 and state.used * 100 >= state.limit * percent]
        if passed:
            reported += _report(state, passed)
    return reported


@transaction.atomic
def _report(state: QuotaState, passed: list[int]) -> bool:
    """Write the thresholds that are new for this period; mail only the highest of them."""
    quota = state.quota
    known = set(
        QuotaAlert.objects.filter(quota=quota, period_start=state.period_start).values_list("percent", flat=True)
    )
    new = []
    for percent in sorted(set(passed) - known):
        # Another process may be here too: the constraint decides who tells.
        _, created = QuotaAlert.objects.get_or_create(quota=quota, period_start=state.period_start, percent=percent)
        if created:
            new.append(percent)
    if not new:
        return False
    record(
        actions.QUOTA_ALERTED,
        actor=SYSTEM,
        target=quota,
        target_name=quota.title,
        detail={"percent": new[-1], "used": state.used, "limit": state.limit, "mode": quota.mode},
        surface="background",
    )
    transaction.on_commit(lambda: _mail(state, new[-1]))
    return True


def _recipients(team: Team) -> list[str]:
    """Return the addresses of the team's owners and of the operators."""
    owners = User.objects.filter(is_active=True, memberships__team=team, memberships__role=Role.OWNER)
    operators = User.objects.filter(is_active=True, is_superuser=True)
    return sorted(set(owners.union(operators).values_list("email", flat=True)))


def _mail(state: QuotaState, percent: int) -> None:
    """Send one mail to each. A mail that cannot be sent is logged; the alert stands on the page and in the log."""
    quota = state.quota
    context = {
        "quota": quota,
        "state": state,
        "percent": percent,
        "is_hard": quota.mode == Mode.HARD,
        "url": f"{settings.BASE_URL}/quotas/?team={quota.team.slug}",
        "installation": settings.INSTALLATION_NAME,
    }
    subject = f"{quota.team} has used {'all' if percent >= 100 else f'{percent} %'} of its quota: {quota.title}"
    body = render_to_string("usage/quota_alert.txt", context)
    try:
        get_connection().send_messages(
            [
                EmailMessage(subject=" ".join(subject.split()), body=body, to=[address])
                for address in _recipients(quota.team)
            ]
        )
    except (OSError, SMTPException) as error:
        log.warning("The quota alert for %s could not be mailed: %s", quota.team, error)
