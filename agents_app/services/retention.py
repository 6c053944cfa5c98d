"""Delete content of runs when the log's is deleted, and runs themselves when its records are."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from agents_app.models import Approval, Firing, Outgoing, Run, RunNote, RunQuestion, Step
from console.audit import actions
from console.audit.services.records import record
from console.audit.services.retention import content_kept_since
from console.core.clock import now
from console.teams.actors import SYSTEM

_AT_ONCE = 200


def forget() -> dict[str, int]:
    """Empty what is past AUDIT_CONTENT_KEEP_DAYS and remove what is past AUDIT_KEEP_DAYS; a batch is a transaction.

    Firings go with the content: by then no broker delivers again and no webhook's timestamp counts. One that was set
    aside stays until a person has decided on it, and a message until it was sent.
    """
    content, records = content_kept_since(), now() - dt.timedelta(days=settings.AUDIT_KEEP_DAYS)
    over = Run.objects.filter(state__in=Run.OVER)
    unsent = Outgoing.objects.filter(sent_at=None, firing__isnull=False).values("firing_id")
    firings = (
        Firing.objects.filter(Q(run=None) | Q(run__state__in=Run.OVER), at__lt=content)
        .exclude(state=Firing.State.PARKED)
        .exclude(pk__in=unsent)
    )
    done = {
        "emptied": _in_portions(over.filter(ended_at__lt=content, forgotten_at=None), _empty),
        "outgoing": _in_portions(Outgoing.objects.filter(sent_at__lt=content), _remove),
        "firings": _in_portions(firings, _remove),
        "runs": _in_portions(over.filter(ended_at__lt=records), _remove),
    }
    if any(done.values()):
        record(actions.RETENTION_APPLIED, actor=SYSTEM, target_name="runs of agents", detail=done)
    return done


def _in_portions(rows: QuerySet[Any], do: Callable[[QuerySet[Any]], None]) -> int:
    """Do it to all of them, a few at a time so that no lock is held for long, and return how many there were."""
    done = 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]):
        with transaction.atomic():
            do(rows.model._default_manager.filter(pk__in=ids))
        done += len(ids)
    return done


def _remove(rows: QuerySet[Any]) -> None:
    rows.delete()


def _empty(runs: QuerySet[Run]) -> None:
    """Leave who ran what when, for how much, and which rule decided; take what was read and said."""
    ids = list(runs.values_list("pk", flat=True))
    steps = list(Step.objects.filter(run__in=ids).only("id", "decisions"))
    for step in steps:
        step.decisions = [{**decision, "reason": ""} for decision in step.decisions]
    Step.objects.bulk_update(steps, ["decisions"])
    Step.objects.filter(run__in=ids).update(arguments=None, output=None, trouble="", note="")
    Approval.objects.filter(run__in=ids).update(arguments={}, reason="", form=None, answer=None, message="")
    RunQuestion.objects.filter(run__in=ids).delete()
    RunNote.objects.filter(run__in=ids).delete()
    runs.update(input={}, output=None, title="", trouble="", end_user="", metadata=None, forgotten_at=now())
