"""Brokers: connect, show, change, test, remove. Owners manage them; their team sees them."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents_app import access
from agents_app.forms.brokers import BrokerForm
from agents_app.queries import external_queues
from agents_app.services import brokers as services
from agents_app.views.tool_frame import ask, frame, url_of
from console.core.errors import Refusal
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go
from console.teams.access import needs
from console.teams.callers import TeamRequest


@needs("manage_team")
def new_broker(request: TeamRequest) -> HttpResponse:
    teams = access.teams_to_connect(request.caller)
    form = BrokerForm(posted(request), teams=teams, initial={"team": request.GET.get("team", "")})
    if form.is_valid():
        with refusals_at(form):
            broker = services.create_broker(actor=request.caller.actor, **form.cleaned_data)
            return go(request, url_of(broker), f"Connected {broker.name}. Test the connection.")
    context = {**frame(request, "queues"), "form": form}
    return render(request, "agents/tools/broker_form.html", context, status=status_of(form))


@needs("view_team")
@require_safe
def broker(request: TeamRequest, broker_id: UUID) -> HttpResponse:
    row = access.broker_for(request.caller, broker_id)
    context = {
        **frame(request, "queues"),
        "row": external_queues.broker_rows(access.brokers_for(request.caller).filter(pk=row.pk))[0],
        "triggers": list(external_queues.readers_of(row)),
        "unsent": list(external_queues.unsent(row)),
        "may_connect": request.caller.may("manage_team", row.team_id),
    }
    return render(request, "agents/tools/broker.html", context)


@needs("manage_team")
def edit_broker(request: TeamRequest, broker_id: UUID) -> HttpResponse:
    row = access.broker_for(request.caller, broker_id, to="connect")
    form = BrokerForm(posted(request), broker=row)
    if form.is_valid():
        with refusals_at(form):
            services.change_broker(actor=request.caller.actor, broker=row, **form.cleaned_data)
            return go(request, url_of(row), f"Changed {form.cleaned_data['name']}.")
    context = {**frame(request, "queues"), "form": form, "broker": row}
    return render(request, "agents/tools/broker_form.html", context, status=status_of(form))


@needs("manage_team")
@require_POST
def look_at_broker(request: TeamRequest, broker_id: UUID) -> HttpResponse:
    row = access.broker_for(request.caller, broker_id, to="connect")
    try:
        message = services.look_at_broker(actor=request.caller.actor, broker=row)
    except Refusal as refusal:
        message = refusal.message
    return go(request, url_of(row), message or "Connection and sign-in work.")


@needs("manage_team")
def remove_broker(request: TeamRequest, broker_id: UUID) -> HttpResponse:
    row = access.broker_for(request.caller, broker_id, to="connect")
    lost = "Its address is deleted. Messages still to be sent there are not sent."
    if request.method == "POST":
        try:
            services.delete_broker(actor=request.caller.actor, broker=row)
        except Refusal as refusal:
            return ask(request, "queues", "Remove", row.name, lost, url_of(row), refused=refusal.message)
        return go(request, reverse("agents:queues"), f"Removed {row.name}.")
    return ask(request, "queues", "Remove", row.name, lost, url_of(row))
