"""Notify people once: through the channels that subscribe, or else by mail."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from console.core.hidden_characters import spelled
from console.core.tasks import enqueue_on_commit
from console.notices.kinds import NoticeKind
from console.notices.models import Channel, Delivery, Notice
from console.notices.people import People, everyone_concerned
from console.teams.models import Team

_LONGEST_TITLE, _LONGEST_TEXT = 300, 20_000


@transaction.atomic
def notify(
    kind: str,
    *,
    team: Team | None,
    title: str,
    text: str,
    url: str,
    facts: dict[str, Any],
    key: str,
    people: People | None = None,
) -> bool:
    """Send a notice after the caller's transaction commits; return whether it is the first with this key.

    `text` is a few plain lines without a link and `url` a path of the console; each channel shows them in its own way.
    `facts` is JSON for programs. Without a channel, `people` get a mail, by default everyone concerned. Teams of the
    demo send nothing.
    """
    if team is not None and team.is_demo:
        return False
    notice, is_new = Notice.objects.get_or_create(
        kind=NoticeKind(kind),
        key=key,
        defaults={
            "team": team,
            "title": spelled(" ".join(title.split()))[:_LONGEST_TITLE],
            "text": spelled(text.strip())[:_LONGEST_TEXT],
            "url": f"{settings.BASE_URL}{url}",
            "facts": facts,
        },
    )
    if not is_new:
        return False
    channels = _channels(notice)
    deliveries = [delivery for channel in channels for delivery in _by_channel(notice, channel)]
    mailed = _mailed(people or everyone_concerned(team), channels)
    deliveries += [Delivery(notice=notice, way=Delivery.Way.MAIL, address=address) for address in mailed]
    if kind == NoticeKind.APPROVAL and settings.APPROVAL_WEBHOOK_URL:
        deliveries.append(Delivery(notice=notice, way=Delivery.Way.SETTING))
    Delivery.objects.bulk_create(deliveries)
    if deliveries:
        enqueue_on_commit("notices.send", expires=60)
    return True


def _channels(notice: Notice) -> list[Channel]:
    """Return the channels that want a notice: the team's own, and the installation's, which hears of every team."""
    whose = Q(team=None) | Q(team=notice.team_id) if notice.team_id else Q(team=None)
    wanting = Channel.objects.filter(whose, is_active=True, wants__contains=[notice.kind])
    return list(wanting.order_by("created_at", "id"))


def _by_channel(notice: Notice, channel: Channel) -> list[Delivery]:
    addresses = channel.addresses if channel.kind == Channel.Kind.EMAIL else [""]
    return [
        Delivery(notice=notice, channel=channel, way=Delivery.Way.CHANNEL, address=address) for address in addresses
    ]


def _mailed(people: People, channels: list[Channel]) -> list[str]:
    """Return whom no channel stands in for."""
    addresses = set(people.always)
    if all(channel.team_id is None for channel in channels):
        addresses |= set(people.of_team)
    if all(channel.team_id is not None for channel in channels):
        addresses |= set(people.operators)
    return sorted(addresses)
