"""Handle one message: start a run, ignore a duplicate, park it with its reason, or leave it for later.

1. Its row is written first, with how often it was tried: what ends this process every time is set aside, too.
2. The run, the row and what is owed in return are one transaction. Only then is the message settled.
3. What is wrong with the message sets it aside. What is wrong with the world leaves it where it is.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction

from agents_app.brokers.failures import text_of
from agents_app.brokers.message import Message, kept_of, key_of, value_of
from agents_app.brokers.outbox import deliver
from agents_app.models import Broker, Firing, Outgoing, Run, Trigger
from agents_app.triggers.firings import input_for, start
from agents_app.triggers.payloads import PLAIN
from console.core.clock import now
from console.core.errors import BadInput, Refusal

log = logging.getLogger(__name__)
State = Firing.State
# Of a message that was set aside, until its copy is sent.
LARGEST_KEPT = 1024 * 1024
_MOST_HEADERS, _LONGEST_HEADER = 100, 4_000


@dataclass(frozen=True, slots=True)
class Received:
    """Whether the message can be settled; otherwise it stays at the broker, and `said` is why."""

    is_done: bool
    said: str = ""


def receive(trigger: Trigger, broker: Broker, message: Message) -> Received:
    """Deal with a message. Needs the trigger's `agent__team`, `agent__live` and `owner`."""
    dedupe, most = trigger.config["dedupe"], trigger.config["attempts"]
    try:
        value = value_of(message)
        key = key_of(message, dedupe, value)
    except BadInput as wrong:
        firing = _row(trigger, f"body:{message.digest}", message)
        return _park(firing, broker, message, wrong.message)
    firing = _row(trigger, key, message)
    if firing.state not in {State.TRYING, State.PARKED}:
        return Received(True)
    if firing.attempts > most:
        return _park(firing, broker, message, firing.trouble or f"It was tried {most} times, and what tried it broke.")
    try:
        with transaction.atomic():
            waiting = Firing.objects.filter(pk=firing.pk, state__in=[State.TRYING, State.PARKED])
            if waiting.select_for_update(no_key=True).first() is None:
                return Received(True)  # a person tried it again, or dropped it, since it was looked up
            begin(firing, trigger, broker, value)
    except Refusal as refusal:
        if _is_its_own_fault(refusal):
            return _park(firing, broker, message, refusal.message)
        # Only of one that counted this attempt: what is set aside and comes again does not.
        trying = Firing.objects.filter(pk=firing.pk, state=State.TRYING, attempts=firing.attempts)
        trying.update(attempts=firing.attempts - 1, trouble=refusal.message[:500])
        return Received(False, refusal.message)
    except Exception as broken:
        log.exception("A message could not become a run.")
        Firing.objects.filter(pk=firing.pk).update(trouble=f"Starting its run broke ({type(broken).__name__[:60]}).")
        return Received(False, "Starting a run broke; the log says why.")
    return Received(True)


def _row(trigger: Trigger, key: str, message: Message) -> Firing:
    """Return the row of a message, one attempt further unless it is dealt with."""
    firing = Firing.objects.filter(trigger=trigger, key=key).first()
    if firing is None:
        fields = {"correlation_id": message.correlation_id or message.message_id, "is_plain": message.is_plain}
        try:
            with transaction.atomic():
                return Firing.objects.create(trigger=trigger, key=key, state=State.TRYING, attempts=1, **fields)
        except IntegrityError:
            firing = Firing.objects.get(trigger=trigger, key=key)
    if firing.state == State.TRYING:
        firing.attempts += 1
        Firing.objects.filter(pk=firing.pk).update(attempts=firing.attempts)
    return firing


@transaction.atomic
def begin(firing: Firing, trigger: Trigger, broker: Broker, value: Any) -> Run:
    """Start the run of a message, with what is owed in return."""
    try:
        values = input_for(trigger, PLAIN, value)
    except BadInput as wrong:
        raise BadInput(wrong.message, param="input") from None
    run = start(trigger, firing.key, values)
    claimed = Firing.objects.filter(pk=firing.pk, state__in=[State.TRYING, State.PARKED])
    claimed.update(state=State.STARTED, run=run, trouble="", body=None, at=now())
    if queue := trigger.config.get("result_queue"):
        Outgoing.objects.get_or_create(
            firing=firing,
            kind=Outgoing.Kind.RESULT,
            defaults={
                "broker": broker,
                "run": run,
                "queue": queue,
                "correlation_id": firing.correlation_id,
                "is_plain": firing.is_plain,
            },
        )
    Trigger.objects.filter(pk=trigger.pk).update(last_at=now(), trouble="")
    return run


def _is_its_own_fault(refusal: Refusal) -> bool:
    return isinstance(refusal, BadInput) and refusal.param == "input"


def _park(firing: Firing, broker: Broker, message: Message, trouble: str) -> Received:
    """Set a message aside, for a person; and into a queue of its own, if the trigger has one for that.

    The copy of a very large one is not kept until it is sent: it goes there whole before the message is settled. Only
    when that fails as often as a message is tried, its beginning is kept instead.
    """
    queue, size = firing.trigger.config.get("parking_queue", ""), len(message.body)
    headers = _kept_headers(message) | {"x-facet-reason": trouble[:500], "x-facet-trigger": firing.trigger.name}
    copy = Message(
        body=message.body,
        tag=None,
        message_id=str(firing.pk),
        correlation_id=message.correlation_id,
        headers=headers,
        is_plain=message.is_plain,
    )
    if not queue or size <= LARGEST_KEPT or firing.state != State.TRYING:
        return _set_aside(firing, broker, message, trouble, copy)
    if not (failed := deliver(broker, queue, copy)):
        return _set_aside(firing, broker, message, trouble, replace(copy, body=b""), is_sent=True)
    if firing.attempts <= firing.trigger.config["attempts"]:
        return Received(False, failed)
    sentence = f"{trouble[:300]} Of its {size:,} bytes the copy has the first {LARGEST_KEPT:,}."
    cut = replace(copy, body=message.body[:LARGEST_KEPT], headers=headers | {"x-facet-cut-from-bytes": size})
    return _set_aside(firing, broker, message, sentence, cut)


@transaction.atomic
def _set_aside(
    firing: Firing, broker: Broker, message: Message, trouble: str, copy: Message, *, is_sent: bool = False
) -> Received:
    """Write that a message is set aside, and what is owed to the queue for such."""
    trigger = firing.trigger
    waiting = Firing.objects.filter(pk=firing.pk, state__in=[State.TRYING, State.PARKED])
    if not waiting.update(state=State.PARKED, trouble=trouble[:500], body=kept_of(message), at=now()):
        return Received(True)
    Trigger.objects.filter(pk=trigger.pk).update(last_at=now())
    if queue := trigger.config.get("parking_queue"):
        Outgoing.objects.get_or_create(
            firing=firing,
            kind=Outgoing.Kind.PARKED,
            defaults={
                "broker": broker,
                "queue": queue,
                "correlation_id": copy.correlation_id,
                "is_plain": copy.is_plain,
                "body": copy.body,
                "headers": copy.headers,
                "sent_at": now() if is_sent else None,
            },
        )
    return Received(True)


def _kept_headers(message: Message) -> dict[str, str | int]:
    """Return the headers a message continues with: those that are one text or number, as far as they can be kept."""
    found: dict[str, str | int] = {}
    for name, value in list(message.headers.items())[:_MOST_HEADERS]:
        if isinstance(value, str):
            found[text_of(name)] = text_of(value, _LONGEST_HEADER)
        elif isinstance(value, int) and abs(value) < 2**63:
            found[text_of(name)] = value
    return found
