"""The outbox: send results to external queues at least once, with retries and backoff.

A result is due once its run's end is committed. Two senders, or one that dies between sending and marking, may send one
twice: its `message_id` is the same, so whoever reads it can tell.
"""

import datetime as dt
import json
import logging
import time
import uuid
from typing import Any

from django.db import transaction
from django.db.models import F, Min, Q

from agents_app.brokers import transport
from agents_app.brokers.address import address_of
from agents_app.brokers.config import check_at
from agents_app.brokers.failures import BrokerTrouble
from agents_app.brokers.message import Message
from agents_app.models import Broker, Outgoing, Run
from console.core.clock import now
from console.core.errors import BadInput

log = logging.getLogger(__name__)
# How long a claim holds, and how long one round may take; what is left goes with the next, after what waits longer.
_CLAIM_SECONDS, _ROUND_SECONDS, _MOST = 60, 20.0, 200
_FIRST_WAIT, _LONGEST_WAIT = 5, 3600


def send_due() -> int:
    """Send what is due, broker by broker, and return how many messages that were."""
    sent, latest = 0, time.monotonic() + _ROUND_SECONDS
    brokers = _due().order_by().values_list("broker").annotate(since=Min("not_before")).order_by("since")
    for broker_id, _ in brokers[:100]:
        if time.monotonic() > latest:
            break
        sent += _send_all(_claim(broker_id), latest)
    return sent


def _send_all(claimed: list[Outgoing], latest: float) -> int:
    """Send what was claimed of one broker; a queue that fails once is left for later, the others continue."""
    sent, failed = 0, set[str]()
    for outgoing in claimed:
        if outgoing.queue in failed:
            continue
        if time.monotonic() > latest:
            unsent = [row.pk for row in claimed if row.sent_at is None and row.queue not in failed]
            Outgoing.objects.filter(pk__in=unsent).update(not_before=now())
            break
        if trouble := _send(outgoing):
            failed.add(outgoing.queue)
            _put_off(outgoing, [row for row in claimed if row.queue == outgoing.queue and row.sent_at is None], trouble)
        else:
            sent += 1
    return sent


def _due() -> Any:
    is_ready = Q(kind=Outgoing.Kind.PARKED) | Q(run__state__in=Run.OVER)
    return Outgoing.objects.filter(is_ready, sent_at=None, not_before__lte=now())


@transaction.atomic
def _claim(broker_id: uuid.UUID) -> list[Outgoing]:
    """Take what is due of one broker, for a while: nobody else sends it meanwhile."""
    rows = (
        _due()
        .filter(broker=broker_id)
        .order_by("not_before", "id")
        .select_for_update(no_key=True, skip_locked=True, of=("self",))
    )
    # What was set aside may be large, so bodies are fetched one at a time, as they are sent.
    due = list(rows.select_related("broker", "run__agent", "firing").defer("body")[:_MOST])
    until = now() + dt.timedelta(seconds=_CLAIM_SECONDS)
    Outgoing.objects.filter(pk__in=[row.pk for row in due]).update(not_before=until)
    return due


def _send(outgoing: Outgoing) -> str:
    """Send what is owed and mark it; return what went wrong, if anything did."""
    if trouble := deliver(outgoing.broker, outgoing.queue, _message(outgoing)):
        return trouble
    outgoing.sent_at = now()
    marked = Outgoing.objects.filter(pk=outgoing.pk)
    marked.update(sent_at=outgoing.sent_at, attempts=F("attempts") + 1, trouble="", body=b"")
    return ""


def deliver(broker: Broker, queue: str, message: Message) -> str:
    """Send one message; return what went wrong, if anything did."""
    try:
        address = address_of(broker)
        check_at(address, queue)
        transport.send(address, queue, message)
    except (BrokerTrouble, BadInput) as trouble:
        return str(trouble)
    except Exception:  # of one message, or one library: what goes elsewhere goes on
        log.exception("A message for the broker %s could not be sent.", broker.slug)
        return "Something broke on our side."
    return ""


def _put_off(outgoing: Outgoing, others: list[Outgoing], trouble: str) -> None:
    """Try again later, all that goes to this queue; one line in the log for each new kind of trouble."""
    if outgoing.trouble != trouble:
        log.warning("A message for the broker %s could not be sent: %s", outgoing.broker.slug, trouble)
    wait = min(_FIRST_WAIT * 2 ** min(outgoing.attempts, 12), _LONGEST_WAIT)
    later = now() + dt.timedelta(seconds=wait)
    rows = Outgoing.objects.filter(pk__in=[other.pk for other in others])
    rows.update(not_before=later, trouble=trouble[:500], attempts=F("attempts") + 1)


def _message(outgoing: Outgoing) -> Message:
    if outgoing.kind == Outgoing.Kind.PARKED:
        body = bytes(outgoing.body)
    else:
        body = json.dumps(result_of(outgoing), ensure_ascii=False).encode()
    return Message(
        body=body,
        tag=None,
        message_id=str(outgoing.pk),
        correlation_id=outgoing.correlation_id,
        headers=outgoing.headers,
        is_plain=outgoing.is_plain,
    )


def result_of(outgoing: Outgoing) -> dict[str, Any]:
    """Return what is said of a run that is over."""
    run = outgoing.run
    assert run is not None
    is_good = run.state == Run.State.SUCCEEDED
    return {
        "type": "run.result",
        "id": str(outgoing.pk),
        "correlation_id": outgoing.correlation_id or None,
        "key": outgoing.firing.key if outgoing.firing else None,
        "run": run.public_id,
        "agent": run.agent.slug,
        "status": run.state,
        "output": run.output if is_good else None,
        "error": None if is_good else {"code": run.code, "message": run.trouble},
        "created_at": int(run.created_at.timestamp()),
        "ended_at": int(run.ended_at.timestamp()) if run.ended_at else None,
    }
