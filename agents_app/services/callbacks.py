"""Send results of items to the callback address of their sender: signed, at least once, with a last attempt."""

import datetime as dt
import json
import logging
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from agents_app.models import QueueItem
from agents_app.tools import web
from agents_app.tools.base import ToolFailed
from agents_app.tools.queue.callbacks import is_named
from agents_app.tools.queue.item_shape import queue_item
from console.core import signing
from console.core.clock import now
from console.core.crypto import SecretUnreadable, decrypt
from console.gateway import sync

log = logging.getLogger(__name__)

MOST_TRIES = 12
_SECONDS, _CLAIM_SECONDS, _MOST_SECONDS, _LOOK_SECONDS = 10.0, 120, 50.0, 1.0
# Places: in all, and for what goes out for one team, and from one queue, whose addresses are mostly one.
_AT_ONCE, _OF_A_TEAM, _OF_A_QUEUE = 48, 12, 8
_FIRST_WAIT, _LONGEST_WAIT = 10, 3600


@dataclass(frozen=True, slots=True)
class _Call:
    item: QueueItem
    body: bytes
    secret: str


def call_back_due() -> int:
    """Send what is due and return how many that were.

    Each address has its own time: when one has answered, the next that is due is taken, and goes where its queue says
    then, signed as that says then. However slow some are, others have places left, those of other teams above all.
    """
    sent, latest = 0, time.monotonic() + _MOST_SECONDS
    under_way: dict[Future[str], QueueItem] = {}
    while True:
        claimed = _begin(under_way) if time.monotonic() < latest else 0
        sent += claimed
        if not under_way and not claimed:
            return sent
        ended, _ = wait(under_way, timeout=0 if claimed else _LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for one in ended:
            _mark(under_way.pop(one), one.result())


def _begin(under_way: dict[Future[str], QueueItem]) -> int:
    """Begin to send what is due and has a place; return how many that were, also those that cannot be sent."""
    claimed, calls = _claim(list(under_way.values()))
    under_way |= {sync.start(_deliver(call)): call.item for call in calls}
    return claimed


@transaction.atomic
def _claim(under_way: Collection[QueueItem]) -> tuple[int, list[_Call]]:
    """Take what is due for a while; return how many that were, and those that can be sent.

    A retry or a second end in between makes it due again.
    """
    moment = now()
    of_queues = Counter(item.queue_id for item in under_way)
    of_teams = Counter(item.queue.team_id for item in under_way)
    rows = QueueItem.objects.filter(call_back_at__lte=moment).order_by("call_back_at", "id")
    rows = rows.exclude(queue__in=[queue for queue, count in of_queues.items() if count >= _OF_A_QUEUE])
    rows = rows.exclude(queue__team__in=[team for team, count in of_teams.items() if count >= _OF_A_TEAM])
    rows = rows.select_for_update(no_key=True, skip_locked=True, of=("self",)).select_related("queue")
    items = []
    for item in rows[: max(0, _AT_ONCE - len(under_way))]:
        if of_queues[item.queue_id] < _OF_A_QUEUE and of_teams[item.queue.team_id] < _OF_A_TEAM:
            of_queues[item.queue_id] += 1
            of_teams[item.queue.team_id] += 1
            items.append(item)
    claimed = moment + dt.timedelta(seconds=_CLAIM_SECONDS)
    QueueItem.objects.filter(pk__in=[item.pk for item in items]).update(call_back_at=claimed)
    calls = []
    for item in items:
        item.call_back_at = claimed
        body = json.dumps(queue_item(item) | {"queue": item.queue.slug}, ensure_ascii=False).encode()
        try:
            calls.append(_Call(item, body, decrypt(item.queue.secret)))
        except SecretUnreadable:
            _mark(item, "The queue's secret cannot be read with the present ENCRYPTION_KEYS.")
    return len(items), calls


async def _deliver(call: _Call) -> str:
    """Send one result; return what went wrong, if anything did. `X-Facet-Delivery` is the same every time."""
    headers = {
        "Content-Type": "application/json",
        "X-Facet-Signature": signing.sign(call.secret, call.body, int(time.time())),
        "X-Facet-Delivery": f"item_{call.item.pk.hex}.{call.item.fence}",
    }
    if call.item.run_id:  # what it starts here counts as that run's doing: results that start runs come to an end
        headers[web.CALLING_RUN] = f"run_{call.item.run_id.hex}"
    url = call.item.callback_url
    if not is_named(url, call.item.queue.callback_addresses):
        return "The queue does not name this address (any more)."
    try:
        answer = await web.exchange(
            "POST", url, headers=headers, body=call.body, seconds=_SECONDS, may_change=True, limit=64 * 1024
        )
    except ToolFailed as failed:
        return failed.sentence
    except Exception:
        log.exception("The result of %s could not be sent.", call.item.pk)
        return "Something broke on our side."
    return "" if 200 <= answer.status < 300 else f"It answered {answer.status}."


def _mark(item: QueueItem, trouble: str) -> None:
    """Write how it went, unless the item has begun again meanwhile."""
    mine = QueueItem.objects.filter(Q(call_back_at=item.call_back_at), pk=item.pk, fence=item.fence)
    tries = item.callbacks + 1
    if not trouble:
        mine.update(called_back_at=now(), call_back_at=None, callbacks=tries, callback_trouble="")
        return
    is_last = tries >= MOST_TRIES
    wait = min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT)
    message = f"{trouble} Given up after {tries} times." if is_last else trouble
    later = None if is_last else now() + dt.timedelta(seconds=wait)
    mine.update(call_back_at=later, callbacks=tries, callback_trouble=message[:500])
