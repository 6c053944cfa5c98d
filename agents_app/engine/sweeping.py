"""PostgreSQL is the queue of record: what is under way and has no worker is woken, again and again."""

from django.db import transaction
from django.db.models.functions import Now

from agents_app.engine.lease import free
from agents_app.models import Approval, Run
from console.audit import actions
from console.audit.services import record
from console.core.tasks import enqueue_on_commit
from console.teams.actors import SYSTEM

_MOST_AT_ONCE = 200


def drive() -> int:
    """Wake every run a worker may take, and escalate what nobody decides; return how many were woken."""
    escalate()
    woken = list(
        Run.objects.filter(free()).order_by("fence", "created_at").values_list("pk", flat=True)[:_MOST_AT_ONCE]
    )
    for run_id in woken:
        enqueue_on_commit("agents.advance", run_id, expires=60)
    return len(woken)


def escalate() -> int:
    """Tell more people of approvals that have waited too long, once."""
    count = 0
    due = Approval.objects.filter(state=Approval.State.WAITING, escalate_at__lte=Now(), escalated_at=None)
    for approval in due.select_related("team", "run", "step").order_by("escalate_at")[:_MOST_AT_ONCE]:
        with transaction.atomic():
            still = Approval.objects.filter(pk=approval.pk, state=Approval.State.WAITING, escalated_at=None)
            if not still.update(escalated_at=Now()):
                continue
            name = f"{approval.run.public_id} step {approval.step.number}"
            record(actions.APPROVAL_ESCALATED, actor=SYSTEM, target=approval, target_name=name, surface="agent")
            enqueue_on_commit("agents.tell_of_approval", approval.pk)
            count += 1
    return count
