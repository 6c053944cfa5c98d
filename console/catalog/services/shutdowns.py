"""Warn operators by mail before a provider shuts a model down: once at each threshold."""

import datetime as dt
import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string

from console.audit import actions
from console.audit.services import record
from console.catalog.models import ModelVersion, ShutdownNotice
from console.catalog.queries.versions import Dependent, dependents
from console.core.clock import now
from console.teams.callers import SYSTEM
from console.teams.models import User

log = logging.getLogger(__name__)

# Days before the end; the smallest that is reached is the one that is told.
THRESHOLDS = (30, 7, 1)


def warn_of_shutdowns() -> int:
    """Mail what ends soon and has not been told at this threshold. Returns how many models that were."""
    today = now().date()
    ending = ModelVersion.objects.filter(
        retired_at=None, shutdown_on__gte=today, shutdown_on__lte=today + dt.timedelta(days=max(THRESHOLDS))
    ).select_related("provider", "successor__provider")
    return sum(_warn(version, today) for version in ending.order_by("shutdown_on"))


@transaction.atomic
def _warn(version: ModelVersion, today: dt.date) -> bool:
    assert version.shutdown_on is not None
    left = (version.shutdown_on - today).days
    threshold = min(days for days in THRESHOLDS if left <= days)
    # Another process may be here too: the constraint decides who tells. A new date is told anew.
    _, is_new = ShutdownNotice.objects.get_or_create(
        model_version=version, shutdown_on=version.shutdown_on, days=threshold
    )
    if not is_new:
        return False
    using = dependents(version)
    record(
        actions.SHUTDOWN_ANNOUNCED,
        actor=SYSTEM,
        target=version,
        detail={"shutdown_on": version.shutdown_on.isoformat(), "days": left, "used_by": [str(d) for d in using]},
        surface="background",
    )
    transaction.on_commit(lambda: _mail(version, left, using))
    return True


def _mail(version: ModelVersion, left: int, using: list[Dependent]) -> None:
    """Send one mail to each operator. A mail that cannot be sent is logged; the warning stands on the pages."""
    when = "today" if left == 0 else "tomorrow" if left == 1 else f"in {left} days"
    context = {
        "version": version,
        "when": when,
        "using": using,
        "url": f"{settings.BASE_URL}/models/versions/{version.pk}/",
        "installation": settings.INSTALLATION_NAME,
    }
    body = render_to_string("catalog/shutdown_notice.txt", context)
    operators = User.objects.filter(is_active=True, is_superuser=True).order_by("email")
    try:
        get_connection().send_messages(
            [
                EmailMessage(subject=f"{version} is shut down {when}", body=body, to=[address])
                for address in operators.values_list("email", flat=True)
            ]
        )
    except (OSError, SMTPException) as error:
        log.warning("The warning of the shutdown of %s could not be mailed: %s", version, error)
