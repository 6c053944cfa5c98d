"""What starts an agent by itself: list, make, switch, another secret, remove."""

import uuid

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents_app import access
from agents_app.forms.agents import refuse
from agents_app.forms.triggers import TriggerForm
from agents_app.models import Agent, Firing, Trigger
from agents_app.services import triggers as services
from agents_app.views.frame import frame
from console.core.errors import Refusal
from console.core.htmx import go
from console.teams.access import needs
from console.teams.callers import TeamRequest

_MOST_FIRINGS = 20


@needs("view_team")
@require_safe
def triggers(request: TeamRequest, slug: str) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="inspect")
    return _page(request, agent)


def _page(request: TeamRequest, agent: Agent, *, made: Trigger | None = None, secret: str = "") -> HttpResponse:
    context = {
        **frame(request, agent, "triggers"),
        "triggers": list(Trigger.objects.filter(agent=agent).select_related("owner")),
        "firings": list(Firing.objects.filter(trigger__agent=agent).select_related("trigger", "run")[:_MOST_FIRINGS]),
        "base_url": settings.BASE_URL,
        "made": made,
        "secret": secret,
    }
    response = render(request, "agents/triggers/list.html", context)
    if secret:
        response["Cache-Control"] = "no-store"
    return response


@needs("build")
def new_trigger(request: TeamRequest, slug: str, kind: str) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="edit")
    if kind not in Trigger.Kind.values:
        raise Http404("There is no such kind of trigger.")
    form = TriggerForm(request.POST if request.method == "POST" else None, agent=agent, kind=kind)
    if form.is_bound and form.is_valid() and request.caller.user is not None:
        given = form.cleaned_data
        try:
            made, secret = services.create_trigger(
                actor=request.caller.actor,
                agent=agent,
                owner=request.caller.user,
                kind=kind,
                name=given["name"],
                config=form.config(),
                environment=given["environment"],
            )
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            if secret:
                return _page(request, agent, made=made, secret=secret)
            return go(request, reverse("agents:triggers", args=[slug]), f"{made.name} starts {agent.name} from now on.")
    context = {**frame(request, agent, "triggers"), "form": form, "kind": Trigger.Kind(kind).label}
    return render(request, "agents/triggers/new.html", context, status=422 if form.is_bound else 200)


def _trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> Trigger:
    agent = access.agent_for(request.caller, slug, to="edit")
    found = Trigger.objects.filter(agent=agent, pk=trigger_id).select_related("agent__team").first()
    if found is None:
        raise Http404("There is no such trigger.")
    return found


@needs("build")
@require_POST
def switch_trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> HttpResponse:
    trigger = _trigger(request, slug, trigger_id)
    changed = services.change_trigger(actor=request.caller.actor, trigger=trigger, is_enabled=not trigger.is_enabled)
    said = f"{changed.name} is {'on' if changed.is_enabled else 'off'}."
    return go(request, reverse("agents:triggers", args=[slug]), said)


@needs("build")
@require_POST
def renew_trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> HttpResponse:
    trigger = _trigger(request, slug, trigger_id)
    try:
        secret = services.renew_secret(actor=request.caller.actor, trigger=trigger)
    except Refusal as refusal:
        return go(request, reverse("agents:triggers", args=[slug]), refusal.message)
    return _page(request, trigger.agent, made=trigger, secret=secret)


@needs("build")
@require_POST
def delete_trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> HttpResponse:
    trigger = _trigger(request, slug, trigger_id)
    services.delete_trigger(actor=request.caller.actor, trigger=trigger)
    return go(request, reverse("agents:triggers", args=[slug]), f"Removed {trigger.name}. Its runs go on.")
