"""Alert channels of a team or of the installation, what each subscribes to, and failed deliveries."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.core.errors import Refusal
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.notices import access, queries
from console.notices.forms import ChannelForm
from console.notices.models import Channel
from console.notices.services import channel_tests
from console.notices.services import channels as services
from console.notices.services.channels import SavedChannel
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest
from console.teams.forms.base import Confirm
from console.teams.models import Team
from console.teams.views.questions import Question, ask, go_back, shown_once


def _home(team: Team | None) -> str:
    return reverse("notices:team_alerts", args=[team.slug]) if team is not None else reverse("notices:alerts")


def _url(channel: Channel) -> str:
    return reverse("notices:channel", args=[channel.pk])


def _around(team: Team | None) -> dict[str, Any]:
    """Return what every page of the room says of whose channels these are."""
    new = reverse("notices:new_team_channel", args=[team.slug]) if team is not None else reverse("notices:new_channel")
    # Rules look at sums of calls, which are a room above.
    rules = reverse("usage:team_alert_rules", args=[team.slug]) if team is not None else reverse("usage:alert_rules")
    return {
        "active": "settings" if team is None else "teams",
        "team": team,
        "home": _home(team),
        "new_url": new,
        "rules_url": rules,
    }


@needs(OPERATOR)
@require_safe
def alerts(request: TeamRequest) -> HttpResponse:
    return _alerts(request, None)


@needs(access.RIGHT)
@require_safe
def team_alerts(request: TeamRequest, slug: str) -> HttpResponse:
    return _alerts(request, access.owner_for(request.caller, slug))


def _alerts(request: TeamRequest, team: Team | None) -> HttpResponse:
    return render(request, "notices/alerts.html", {**_around(team), "page": queries.alerts_page(team)})


@needs(OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def new_channel(request: TeamRequest) -> HttpResponse:
    return _new(request, None)


@needs(access.RIGHT)
@require_http_methods(["GET", "HEAD", "POST"])
def new_team_channel(request: TeamRequest, slug: str) -> HttpResponse:
    return _new(request, access.owner_for(request.caller, slug))


def _new(request: TeamRequest, team: Team | None) -> HttpResponse:
    """Set up a channel of the kind `?kind=` names."""
    asked = request.GET.get("kind", "")
    kind = Channel.Kind(asked) if asked in Channel.Kind.values else Channel.Kind.SLACK
    form = ChannelForm(posted(request), kind=kind, is_of_team=team is not None)
    if form.is_valid():
        with refusals_at(form):
            made = services.create_channel(actor=request.caller.actor, team=team, kind=kind, **form.cleaned_data)
            return _created(request, made, f"{made.channel.name} is set up. Send a test to check it.")
    context = {**_around(team), "form": form, "kind": kind, "kinds": Channel.Kind}
    return render(request, "notices/new.html", context, status=status_of(form))


def _created(request: TeamRequest, created: SavedChannel, message: str) -> HttpResponse:
    """Go to the channel; by way of its new secret, if it has one."""
    if not created.secret:
        return go(request, _url(created.channel), message)
    context = {
        **_around(created.channel.team),
        "channel": created.channel,
        "secret": created.secret,
        "back": _url(created.channel),
    }
    return shown_once(request, "notices/secret.html", context)


@needs(access.RIGHT)
@require_http_methods(["GET", "HEAD", "POST"])
def channel(request: TeamRequest, channel_id: uuid.UUID) -> HttpResponse:
    """One channel: where it goes, how its last deliveries went, and the form that changes it."""
    row = access.channel_for(request.caller, channel_id)
    if request.method != "POST":
        return _page(request, row)
    form = ChannelForm(request.POST, kind=row.kind, is_of_team=row.team_id is not None, channel=row)
    if form.is_valid():
        with refusals_at(form):
            made = services.change_channel(actor=request.caller.actor, channel=row, **form.cleaned_data)
            return _created(request, made, f"{made.channel.name} is changed.")
    return _page(request, row, status=status_of(form), form=form)


def _page(request: TeamRequest, row: Channel, *, partial: str = "", status: int = 200, **more: Any) -> HttpResponse:
    context = {
        **_around(row.team),
        "channel": row,
        "form": ChannelForm(kind=row.kind, is_of_team=row.team_id is not None, channel=row),
        "deliveries": queries.deliveries_of(row),
        **more,
    }
    template = "notices/channel.html"
    return render(
        request, f"{template}#{partial}" if partial and is_htmx(request) else template, context, status=status
    )


@needs(access.RIGHT)
@require_POST
def test_channel(request: TeamRequest, channel_id: uuid.UUID) -> HttpResponse:
    """Send a test now, and show what the other side answered."""
    row = access.channel_for(request.caller, channel_id)
    outcome = channel_tests.try_channel(actor=request.caller.actor, channel=row)
    row.refresh_from_db(fields=["delivered_at", "problem", "problem_at"])
    return _page(request, row, partial="connection", outcome=outcome)


@needs(access.RIGHT)
@require_POST
def enable_channel(request: TeamRequest, channel_id: uuid.UUID) -> HttpResponse:
    """Switch on or off, as `enabled` says."""
    row = access.channel_for(request.caller, channel_id)
    enabled = request.POST.get("enabled") == "1"
    services.enable_channel(actor=request.caller.actor, channel=row, enabled=enabled)
    message = f"Alerts go to {row.name} again." if enabled else f"Alerts no longer go to {row.name}."
    return go(request, _url(row), message)


@needs(access.RIGHT)
@require_http_methods(["GET", "HEAD", "POST"])
def delete_channel(request: TeamRequest, channel_id: uuid.UUID) -> HttpResponse:
    row = access.channel_for(request.caller, channel_id)
    form = Confirm(posted(request))
    if request.method == "POST" and form.is_valid():
        services.delete_channel(actor=request.caller.actor, channel=row)
        return go(request, _home(row.team), f"{row.name} is deleted.")
    question = Question(
        title=f"Delete {row.name}?",
        text="Its address and list of deliveries are deleted. Alerts that no other channel takes are e-mailed again.",
        verb="Delete channel",
        back=_url(row),
        back_label=row.name,
        active="settings" if row.team is None else "teams",
        is_destructive=True,
    )
    return ask(request, question, form)


@needs(access.RIGHT)
@require_POST
def try_again(request: TeamRequest, delivery_id: uuid.UUID) -> HttpResponse:
    """Put what failed back on its way, and return to the page that showed it."""
    delivery = access.delivery_for(request.caller, delivery_id)
    team = delivery.channel.team if delivery.channel is not None else None
    back = request.POST.get("back", "")
    if not (back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)):
        back = _home(team)
    try:
        channel_tests.try_again(actor=request.caller.actor, delivery=delivery)
    except Refusal as refusal:
        return go_back(request, back, refusal)
    return go(request, back, "Sending it again.")
