"""Queries of the pages of alerts."""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from console.core.formatting import plural
from console.notices.kinds import SENTENCES, NoticeKind, kinds_of
from console.notices.models import Channel, Delivery
from console.notices.people import addresses_of_operators, owners_of
from console.teams.models import Team

_MOST_FAILED, _MOST_OF_A_CHANNEL = 50, 20


@dataclass(frozen=True, slots=True)
class Told:
    """One kind of alert, and who hears of it: the channels, or else the people the sentence names."""

    label: str
    sentence: str
    channels: list[Channel]
    by_mail: str
    is_heard: bool


@dataclass(frozen=True, slots=True)
class AlertsPage:
    channels: list[Channel]
    told: list[Told]
    failed: list[Delivery]
    default: str


def alerts_page(team: Team | None) -> AlertsPage:
    """Return the channels of a team, or of the installation, who is told of what, and what did not arrive."""
    channels = list(Channel.objects.filter(team=team).order_by("created_at", "id"))
    people = owners_of(team) if team is not None else addresses_of_operators()
    told = []
    for kind in kinds_of(is_of_team=team is not None):
        wanting = [channel for channel in channels if channel.is_active and kind in channel.wants]
        told.append(
            Told(kind.label, SENTENCES[kind], wanting, _by_mail(kind, team, len(people)), bool(wanting or people))
        )
    return AlertsPage(channels, told, _failed(team), _counted(len(people), team))


def _counted(count: int, team: Team | None) -> str:
    if team is None:
        return f"Mail to {plural(count, 'operator')}"
    return f"Mail to {plural(count, 'owner')}" if count else "Nobody: the team has no owner"


def _by_mail(kind: NoticeKind, team: Team | None, count: int) -> str:
    """Say who is mailed as long as no channel wants this kind."""
    if kind == NoticeKind.APPROVAL:
        if team is not None:
            return "Mail to owners and approvers"
        also = ", and APPROVAL_WEBHOOK_URL" if settings.APPROVAL_WEBHOOK_URL else ""
        return f"{_counted(count, team)}, when nobody decides in time{also}"
    return _counted(count, team)


def _failed(team: Team | None) -> list[Delivery]:
    whose = Q(channel__team=team) if team is not None else Q(channel__team=None)
    rows = Delivery.objects.filter(whose, state=Delivery.State.FAILED).select_related("notice__team", "channel")
    return list(rows.order_by("-ended_at", "-id")[:_MOST_FAILED])


def deliveries_of(channel: Channel) -> list[Delivery]:
    """Return the last deliveries of a channel, newest first."""
    rows = channel.deliveries.select_related("notice__team")
    return list(rows.order_by("-created_at", "-id")[:_MOST_OF_A_CHANNEL])
