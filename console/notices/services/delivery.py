"""Deliver waiting notices: claim, send, retry with backoff, give up after a few hours; never send one twice."""

import datetime as dt
import logging
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import F

from console.core.clock import now
from console.core.crypto import SecretUnreadable
from console.notices.models import Channel, Delivery
from console.notices.people import addresses_of_operators, owners_of
from console.notices.sending import http, mail
from console.notices.sending.http import Post
from console.notices.sending.mail import Letter
from console.notices.sending.outcome import BROKEN, UNREADABLE, Outcome

log = logging.getLogger(__name__)

MOST_TRIES = 12
_AT_ONCE, _MOST_ROUNDS = 20, 10
_FIRST_WAIT, _LONGEST_WAIT = 10, 3600
# A worker that died leaves its deliveries to others after that. So does one at a slow server, as long before as a
# mail may take.
_CLAIM, _LONGEST_MAIL = dt.timedelta(minutes=5), dt.timedelta(minutes=1)
# Due so long ago it is of no use any more, or comes from a backup and was sent after that was made.
_TOO_OLD = dt.timedelta(days=1)
_TOO_OLD_SENTENCE = "It waited longer than a day for a worker, so it was not sent."
_NEVER_ENDED = f"Given up after {MOST_TRIES} tries, of which no worker saw the end."


def send_due() -> int:
    """Send what is due; return how many deliveries were tried."""
    tried = 0
    for _ in range(_MOST_ROUNDS):
        claimed = _claim()
        tried += len(claimed)
        for delivery, outcome in _send(claimed):
            _mark(delivery, outcome)
        if not claimed:  # what came while these were sent has been waited for as well
            break
    return tried


@transaction.atomic
def _claim() -> list[Delivery]:
    """Take what is due for a while: whoever else looks meanwhile does not see it. That counts as a try already: what
    ends its workers must not do so forever.
    """
    moment = now()
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING)
    over = {"state": Delivery.State.FAILED, "next_try_at": None, "ended_at": moment}
    waiting.filter(next_try_at__lt=moment - _TOO_OLD).update(**over, problem=_TOO_OLD_SENTENCE)
    due = waiting.filter(next_try_at__lte=moment)
    ours = due.select_for_update(no_key=True, skip_locked=True, of=("self",)).select_related(
        "notice__team", "channel__team"
    )
    for lost in ours.filter(attempts__gte=MOST_TRIES).order_by("next_try_at", "id")[:_AT_ONCE]:
        Delivery.objects.filter(pk=lost.pk).update(**over, problem=_NEVER_ENDED)
        if lost.channel is not None:
            note(lost.channel, Outcome(_NEVER_ENDED))
            _mail_instead(lost, Outcome(_NEVER_ENDED))
    rows = list(ours.filter(attempts__lt=MOST_TRIES).order_by("next_try_at", "id")[:_AT_ONCE])
    until = moment + _CLAIM
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(next_try_at=until, attempts=F("attempts") + 1)
    for row in rows:
        row.next_try_at, row.attempts = until, row.attempts + 1
    return rows


def _send(deliveries: list[Delivery]) -> Iterator[tuple[Delivery, Outcome]]:
    """Yield how each went once that is known, to be stored before the next mail begins."""
    mails: list[tuple[Delivery, Letter]] = []
    posts: list[tuple[Delivery, Post]] = []
    for delivery in deliveries:
        if reason := _is_over(delivery):
            yield delivery, Outcome(reason, is_final=True)
        elif delivery.address:
            letter = Letter(delivery.notice, delivery.address, str(delivery.pk), delivery.instead_of)
            mails.append((delivery, letter))
        else:
            try:
                posts.append((delivery, _post(delivery)))
            except SecretUnreadable:
                yield delivery, UNREADABLE
            except Exception:
                log.exception("One notice could not be written; the others go on.")
                yield delivery, BROKEN
    yield from zip([d for d, _ in posts], http.post([p for _, p in posts]), strict=True)
    outcomes = mail.send([letter for _, letter in mails])
    for delivery, _ in mails:
        if delivery.next_try_at is not None and now() > delivery.next_try_at - _LONGEST_MAIL:
            break
        yield delivery, next(outcomes)


def _post(delivery: Delivery) -> Post:
    if delivery.channel is None:
        return http.by_setting(delivery.notice, str(delivery.pk))
    return http.by_channel(delivery.notice, delivery.channel, str(delivery.pk))


def _is_over(delivery: Delivery) -> str:
    """Say why something is not sent any more, or nothing."""
    if delivery.channel is not None and not delivery.channel.is_active:
        return "The channel is switched off."
    if delivery.way == Delivery.Way.SETTING and not settings.APPROVAL_WEBHOOK_URL:
        return "APPROVAL_WEBHOOK_URL is not set any more."
    return ""


@transaction.atomic
def _mark(delivery: Delivery, outcome: Outcome) -> None:
    """Write how it went, unless somebody else has taken it over meanwhile."""
    moment, tries = now(), delivery.attempts
    is_last = outcome.is_final or tries >= MOST_TRIES
    if outcome.is_accepted:
        values = {"state": Delivery.State.DELIVERED, "next_try_at": None, "ended_at": moment, "problem": ""}
    elif is_last:
        given_up = "" if outcome.is_final else f" Given up after {tries} tries."
        problem = f"{outcome.problem[:450]}{given_up}"
        values = {"state": Delivery.State.FAILED, "next_try_at": None, "ended_at": moment, "problem": problem}
    else:
        wait = max(min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT), outcome.wait_seconds)
        values = {"next_try_at": moment + dt.timedelta(seconds=wait), "problem": outcome.problem[:500]}
    mine = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.WAITING, next_try_at=delivery.next_try_at)
    if not mine.update(**values):
        return
    if delivery.channel is not None:
        note(delivery.channel, outcome)
        if is_last and not outcome.is_accepted:
            _mail_instead(delivery, outcome)


def note(channel: Channel, outcome: Outcome) -> None:
    """Remember on a channel how the last delivery went."""
    mine = Channel.objects.filter(pk=channel.pk)
    if outcome.is_accepted:
        mine.update(delivered_at=now(), problem="", problem_at=None)
    else:
        mine.update(problem=outcome.problem[:500], problem_at=now())


def _mail_instead(delivery: Delivery, outcome: Outcome) -> None:
    """Mail what a channel did not take to those it stands in for, so that an alert is not lost with it."""
    channel = delivery.channel
    assert channel is not None
    owners = owners_of(channel.team) if channel.team is not None else []
    addresses = owners or addresses_of_operators()
    why = f"This was for the channel {channel.name}, which did not take it. {outcome.problem}"[:700]
    Delivery.objects.bulk_create(
        [
            Delivery(notice=delivery.notice, way=Delivery.Way.MAIL, address=address, instead_of=why)
            for address in addresses
        ],
        ignore_conflicts=True,  # who was mailed of it by another way has it
    )
