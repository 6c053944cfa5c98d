"""Test a channel, and retry its failed deliveries."""

from dataclasses import replace

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from console.audit import actions
from console.audit.models import Status
from console.audit.services import record
from console.core.clock import now
from console.core.connections import let_go
from console.core.crypto import SecretUnreadable
from console.core.errors import Conflict
from console.core.tasks import enqueue_on_commit
from console.notices.errors import TooManyTests
from console.notices.models import Channel, Delivery, Notice
from console.notices.sending import http, mail
from console.notices.sending.mail import Letter
from console.notices.sending.outcome import ACCEPTED, UNREADABLE, Outcome
from console.notices.services.delivery import note
from console.teams.actors import Actor

MOST_TESTS, _SECONDS = 5, 60


def try_channel(*, actor: Actor, channel: Channel) -> Outcome:
    """Send a test by a channel while the caller waits, and return what the other side really answered."""
    _take_turn(channel)
    let_go()  # nobody waits for this connection while the other side takes its time
    outcome = _send(_test_notice(actor, channel), channel)
    with transaction.atomic():
        note(channel, outcome)
        record(
            actions.CHANNEL_TESTED,
            actor=actor,
            target=channel,
            team=channel.team,
            status=Status.OK if outcome.is_accepted else Status.ERROR,
            detail={"outcome": outcome.problem or "accepted"},
        )
    return outcome


def _take_turn(channel: Channel) -> None:
    """Refuse more tests than a few a minute by all channels of a team: each goes to up to 20 addresses of anybody."""
    whose = f"notices.test:{channel.team_id or 'installation'}"
    if not any(cache.add(f"{whose}:{place}", 1, _SECONDS) for place in range(MOST_TESTS)):
        raise TooManyTests(MOST_TESTS, _SECONDS)


def _test_notice(actor: Actor, channel: Channel) -> Notice:
    """Return a notice that is in no table."""
    return Notice(
        kind="test",
        team=channel.team,
        title=f"Test of the channel {channel.name}",
        text=f"{actor.name} sent this to see whether alerts arrive here. Nothing has happened.",
        url=f"{settings.BASE_URL}/",
        facts={"type": "test"},
    )


def _send(notice: Notice, channel: Channel) -> Outcome:
    identity = f"test-{notice.pk}"
    if channel.kind == Channel.Kind.EMAIL:
        outcomes = zip(
            channel.addresses, mail.send([Letter(notice, a, identity) for a in channel.addresses]), strict=True
        )
        failed = [(address, outcome) for address, outcome in outcomes if not outcome.is_accepted]
        if not failed:
            return ACCEPTED
        address, outcome = failed[0]
        is_of_all = len(failed) == len(channel.addresses)
        return outcome if is_of_all else replace(outcome, problem=f"{address}: {outcome.problem}")
    try:
        return http.post([http.by_channel(notice, channel, identity)])[0]
    except SecretUnreadable:
        return UNREADABLE


@transaction.atomic
def try_again(*, actor: Actor, delivery: Delivery) -> Delivery:
    """Put a delivery that failed back on its way, as if it were new."""
    channel = delivery.channel
    if channel is not None and not channel.is_active:
        raise Conflict(f"The channel {channel.name} is switched off; switch it on first.")
    failed = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.FAILED)
    if not failed.update(state=Delivery.State.WAITING, attempts=0, next_try_at=now(), ended_at=None):
        raise Conflict("This delivery has not failed, or is on its way again already.")
    record(
        actions.CHANNEL_RETRIED,
        actor=actor,
        target=channel or delivery,
        target_name=str(channel or delivery.address or delivery.get_way_display()),
        team=channel.team if channel is not None else None,
        detail={"delivery": str(delivery.pk), "notice": delivery.notice.title, "problem": delivery.problem},
    )
    enqueue_on_commit("notices.send", expires=60)
    delivery.refresh_from_db()
    return delivery
