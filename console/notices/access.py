"""The only way to get a channel or delivery for somebody: owners those of their team, operators all."""

import uuid

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404

from console.core.sql import get_or_raise
from console.notices.models import Channel, Delivery
from console.teams.access import denied, team_for, teams_for
from console.teams.callers import Caller
from console.teams.models import Team

RIGHT = "manage_team"


def channels_for(caller: Caller, right: str = RIGHT) -> QuerySet[Channel]:
    """Return the channels of the teams in which the caller has the right; to operators also the installation's."""
    rows = Channel.objects.select_related("team")
    mine = Q(team__in=teams_for(caller, right))
    return rows.filter(mine | Q(team=None)) if caller.is_operator else rows.filter(mine)


def channel_for(caller: Caller, channel_id: uuid.UUID) -> Channel:
    """Return the channel: 404 for strangers, 403 for members who do not manage the team."""
    channel = get_or_raise(
        channels_for(caller, "view_team").filter(pk=channel_id), Http404("There is no such channel.")
    )
    if channel.team_id is not None and not caller.may(RIGHT, channel.team_id):
        raise denied(channel.team, caller, RIGHT)
    return channel


def owner_for(caller: Caller, slug: str | None) -> Team | None:
    """Return the team somebody sets up channels of; None, to operators alone, for the installation."""
    if slug is not None:
        return team_for(caller, slug, to=RIGHT)
    if not caller.is_operator:
        raise PermissionDenied("Only operators set up channels of the installation; name your team.")
    return None


def deliveries_for(caller: Caller) -> QuerySet[Delivery]:
    """Return what went by the caller's channels; to operators also what was mailed without one."""
    mine = Q(channel__in=channels_for(caller))
    rows = Delivery.objects.select_related("notice__team", "channel__team")
    return rows.filter(mine | Q(channel=None)) if caller.is_operator else rows.filter(mine)


def delivery_for(caller: Caller, delivery_id: uuid.UUID) -> Delivery:
    return get_or_raise(deliveries_for(caller).filter(pk=delivery_id), Http404("There is no such delivery."))
