"""Send what came of an item where its sender asked, if its queue names that: signed, at least once, not for ever."""

import asyncio
import datetime as dt
import json
import time
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from agents_app.models import QueueItem
from agents_app.tools import web
from agents_app.tools.base import ToolFailed
from agents_app.tools.queue.callbacks import is_named
from agents_app.tools.queue.said import queue_item
from console.core import signing
from console.core.clock import now
from console.core.crypto import SecretUnreadable, decrypt
from console.gateway import sync

MOST_TRIES = 12
_SECONDS, _CLAIM_SECONDS, _AT_ONCE, _MOST_ROUNDS = 10.0, 120, 20, 5
_FIRST_WAIT, _LONGEST_WAIT = 10, 3600


@dataclass(frozen=True, slots=True)
class _Call:
    item: QueueItem
    body: bytes
    secret: str


def call_back_due() -> int:
    """Send what is due and return how many that were. Slow addresses wait side by side.

    None waits for another after it was claimed: it goes where its queue says now, signed as that says now.
    """
    sent = 0
    for _ in range(_MOST_ROUNDS):
        claimed, calls = _claim()
        if not claimed:
            break
        sent += claimed
        for call, trouble in zip(calls, sync.run(_all(calls)), strict=True):
            _mark(call.item, trouble)
    return sent


@transaction.atomic
def _claim() -> tuple[int, list[_Call]]:
    """Take what is due for a while; return how many that were, and those that can be sent.

    A retry or a second end in between makes it due anew.
    """
    moment = now()
    rows = QueueItem.objects.filter(call_back_at__lte=moment).order_by("call_back_at", "id")
    items = list(rows.select_for_update(no_key=True, skip_locked=True, of=("self",)).select_related("queue")[:_AT_ONCE])
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


async def _all(calls: list[_Call]) -> list[str]:
    return await asyncio.gather(*[_deliver(call) for call in calls])


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
    return "" if 200 <= answer.status < 300 else f"It answered {answer.status}."


def _mark(item: QueueItem, trouble: str) -> None:
    """Write how it went, unless the item has begun anew meanwhile."""
    mine = QueueItem.objects.filter(Q(call_back_at=item.call_back_at), pk=item.pk, fence=item.fence)
    tries = item.callbacks + 1
    if not trouble:
        mine.update(called_back_at=now(), call_back_at=None, callbacks=tries, callback_trouble="")
        return
    is_last = tries >= MOST_TRIES
    wait = min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT)
    said = f"{trouble} Given up after {tries} times." if is_last else trouble
    later = None if is_last else now() + dt.timedelta(seconds=wait)
    mine.update(call_back_at=later, callbacks=tries, callback_trouble=said[:500])
