"""Process queues as soon as something changes. Beat does so as well, so a lost message only means a delay."""

from django.db.models import QuerySet

from agents_app.models import Outgoing, Queue, QueueItem, Run, Trigger
from console.core.tasks import enqueue_on_commit

# One round serves all that is there; messages nobody has read by then are of no use.
_EXPIRES = 5


def readers() -> QuerySet[Trigger]:
    """Return the triggers that take from built-in queues now; those of brokers outside have readers of their own."""
    living = Trigger.objects.filter(is_enabled=True, agent__archived_at=None, agent__team__archived_at=None)
    return living.filter(kind=Trigger.Kind.QUEUE).exclude(config__has_key="broker")


def readers_of(queue: Queue) -> QuerySet[Trigger]:
    """Return the triggers that take what is put into a queue."""
    return readers().filter(agent__team=queue.team_id, config__queue=queue.slug)


def is_served_in(queue: Queue, environment: str) -> bool:
    """Return whether a trigger takes what is put into a queue and starts runs in this environment."""
    return readers_of(queue).filter(environment=environment).exists()


def serve(queue: Queue) -> None:
    """Have a trigger take what waits in a queue, if one reads it."""
    if readers_of(queue).exists():
        enqueue_on_commit("agents.serve_queue", queue.pk, expires=_EXPIRES)


def call_back(item: QueueItem) -> None:
    """Have the result sent, if its sender named an address."""
    if item.callback_url:
        enqueue_on_commit("agents.call_back", expires=_EXPIRES)


def run_ended(run: Run) -> None:
    """Have the result of a run written back to where its work came from; there may be room for more now."""
    if run.trigger != Run.Trigger.QUEUE:
        return
    for queue_id in QueueItem.objects.filter(run=run).values_list("queue", flat=True).distinct():
        enqueue_on_commit("agents.serve_queue", queue_id, expires=_EXPIRES)
    if Outgoing.objects.filter(run=run, sent_at=None).exists():
        enqueue_on_commit("agents.send_results", expires=_EXPIRES)
