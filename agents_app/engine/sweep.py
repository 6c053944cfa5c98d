"""Wake runs that are in progress and have no worker. PostgreSQL is the queue of record."""

import datetime as dt

from django.db.models import Q
from django.db.models.functions import Now

from agents_app.engine.lease import free
from agents_app.models import Approval, Run
from console.core.clock import now
from console.core.tasks import enqueue_on_commit

_MOST_AT_ONCE = 200
_LOST_AFTER = dt.timedelta(seconds=60)


def drive() -> int:
    """Wake every run a worker may take; return how many were woken."""
    woken = list(
        Run.objects.filter(free()).order_by("fence", "created_at").values_list("pk", flat=True)[:_MOST_AT_ONCE]
    )
    for run_id in woken:
        enqueue_on_commit("agents.advance", run_id, expires=60)
    return len(woken)


def tell() -> int:
    """Have people told again whose notice was lost with the broker, and more people where nobody decides."""
    is_lost = Q(told_at=None, created_at__lt=now() - _LOST_AFTER)
    due = Approval.objects.filter(is_lost | Q(escalated_at=None, escalate_at__lte=Now()), state=Approval.State.WAITING)
    found = list(due.order_by("expires_at").values_list("pk", flat=True)[:_MOST_AT_ONCE])
    for approval_id in found:
        enqueue_on_commit("agents.tell_of_approval", approval_id, expires=60)
    return len(found)
