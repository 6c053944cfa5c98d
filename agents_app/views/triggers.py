"""Triggers of an agent: list, create, enable and disable, renew the secret, remove."""

import uuid

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents_app import access
from agents_app.forms.triggers import OverlapForm, TriggerForm
from agents_app.models import Agent, Broker, Firing, Queue, Trigger
from agents_app.queries import external_queues
from agents_app.queries.tokens import live
from agents_app.services import parked as parked_services
from agents_app.services import triggers as services
from agents_app.tools.base import written_json
from agents_app.triggers import payloads
from agents_app.triggers.tokens import takes_token
from agents_app.views.frame import frame
from console.core.errors import Refusal
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go
from console.teams.access import needs
from console.teams.callers import TeamRequest
from console.teams.services.keys import OVERLAPS

_MOST_FIRINGS = 20


@needs("view_team")
@require_safe
def triggers(request: TeamRequest, slug: str) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="inspect")
    return _page(request, agent)


def _page(request: TeamRequest, agent: Agent, *, trigger: Trigger | None = None, secret: str = "") -> HttpResponse:
    may_read = access.may_read_items(request.caller, agent.team)
    firings = list(external_queues.others(agent)[:_MOST_FIRINGS])
    context = {
        **frame(request, agent, "triggers"),
        "triggers": external_queues.trigger_rows(agent),
        "parked": [(one, written_json(one.body) if may_read else "") for one in external_queues.parked(agent)],
        "may_read": may_read,
        "firings": firings,
        "seen": access.runs_seen(request.caller, (firing.run_id for firing in firings)),
        "base_url": settings.BASE_URL,
        "made": trigger,
        "secret": secret,
        "example": payloads.example_of(trigger.config.get("source", "")) if trigger else "",
        "is_token": trigger is not None and takes_token(trigger),
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
    is_outside = kind == Trigger.Kind.QUEUE and request.GET.get("from") == "broker"
    form = TriggerForm(posted(request), agent=agent, kind=kind, is_outside=is_outside)
    if form.is_valid() and request.caller.user is not None:
        fields = form.cleaned_data
        with refusals_at(form):
            trigger, secret = services.create_trigger(
                actor=request.caller.actor,
                agent=agent,
                owner=request.caller.user,
                kind=kind,
                name=fields["name"],
                config=form.config(),
                environment=fields["environment"],
            )
            if secret:
                return _page(request, agent, trigger=trigger, secret=secret)
            return go(
                request, reverse("agents:triggers", args=[slug]), f"{trigger.name} starts {agent.name} from now on."
            )
    context = {
        **frame(request, agent, "triggers"),
        "form": form,
        "kind": Trigger.Kind(kind).label,
        "is_outside": is_outside,
        "has_queue": Queue.objects.filter(team=agent.team_id, archived_at=None).exists(),
        "has_broker": is_outside and Broker.objects.filter(team=agent.team_id).exists(),
    }
    return render(request, "agents/triggers/new.html", context, status=status_of(form))


@needs("build")
def edit_trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> HttpResponse:
    """Change what a trigger says. Its kind stays, and so does in whose name its runs act."""
    trigger = _trigger(request, slug, trigger_id)
    took_token = takes_token(trigger)
    form = TriggerForm.of(trigger, posted(request))
    if form.is_valid():
        fields = form.cleaned_data
        with refusals_at(form):
            changed = services.change_trigger(
                actor=request.caller.actor,
                trigger=trigger,
                name=fields["name"],
                config=form.config(),
                environment=fields["environment"],
                seen_revision=fields["seen_revision"],
            )
            if took_token != takes_token(changed):
                secret = services.renew_secret(actor=request.caller.actor, trigger=changed)
                return _page(request, changed.agent, trigger=changed, secret=secret)
            return go(request, reverse("agents:triggers", args=[slug]), f"{changed.name} is changed.")
    context = {
        **frame(request, trigger.agent, "triggers"),
        "form": form,
        "trigger": trigger,
        "kind": trigger.get_kind_display(),
        "is_outside": form.is_outside,
        "has_queue": True,
        "has_broker": True,
    }
    return render(request, "agents/triggers/new.html", context, status=status_of(form))


def _trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> Trigger:
    agent = access.agent_for(request.caller, slug, to="edit")
    trigger = Trigger.objects.filter(agent=agent, pk=trigger_id).select_related("agent__team", "agent__live").first()
    if trigger is None:
        raise Http404("There is no such trigger.")
    return trigger


@needs("build")
@require_POST
def switch_trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> HttpResponse:
    """Switch on or off, as `enabled` says: of two who switch it off at once, neither switches it on again."""
    trigger, enabled = _trigger(request, slug, trigger_id), request.POST.get("enabled") == "1"
    changed = services.change_trigger(actor=request.caller.actor, trigger=trigger, is_enabled=enabled)
    message = f"{changed.name} is {'on' if changed.is_enabled else 'off'}."
    return go(request, reverse("agents:triggers", args=[slug]), message)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def renew_trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> HttpResponse:
    trigger = _trigger(request, slug, trigger_id)
    if takes_token(trigger):
        return _renew_token(request, trigger)
    if request.method != "POST":
        lost = "Deliveries signed with the current secret are refused from now on. The new one is shown once."
        return _ask(request, trigger, "Make a new secret", lost, to="for")
    try:
        secret = services.renew_secret(actor=request.caller.actor, trigger=trigger)
    except Refusal as refusal:
        return go(request, reverse("agents:triggers", args=[slug]), refusal.message)
    return _page(request, trigger.agent, trigger=trigger, secret=secret)


def _renew_token(request: TeamRequest, trigger: Trigger) -> HttpResponse:
    form = OverlapForm(posted(request))
    if form.is_valid():
        with refusals_at(form):
            overlap = OVERLAPS[form.cleaned_data["overlap"]]
            token = services.renew_secret(actor=request.caller.actor, trigger=trigger, overlap=overlap)
            return _page(request, trigger.agent, trigger=trigger, secret=token)
    context = {**frame(request, trigger.agent, "triggers"), "trigger": trigger, "form": form}
    context["has_token"] = live(trigger).exists()
    return render(request, "agents/triggers/new_token.html", context, status=status_of(form))


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_token(request: TeamRequest, slug: str, trigger_id: uuid.UUID, token_id: uuid.UUID) -> HttpResponse:
    trigger = _trigger(request, slug, trigger_id)
    token = live(trigger).filter(pk=token_id).first()
    if token is None:
        raise Http404("There is no such token, or it has ended already.")
    if request.method != "POST":
        lost = (
            f"Whoever sends {token.shown} is refused from now on. This cannot be undone, but you can create a new "
            "token."
        )
        return _ask(request, trigger, "Revoke the token", lost, to="of")
    services.revoke_token(actor=request.caller.actor, trigger=trigger, token_id=token.pk)
    return go(request, reverse("agents:triggers", args=[slug]), f"Revoked {token.shown}.")


def _ask(request: TeamRequest, trigger: Trigger, verb: str, lost: str, to: str = "") -> HttpResponse:
    """Ask before something is lost."""
    context = {**frame(request, trigger.agent, "triggers"), "trigger": trigger, "verb": verb, "to": to, "lost": lost}
    return render(request, "agents/triggers/confirm.html", context)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def delete_trigger(request: TeamRequest, slug: str, trigger_id: uuid.UUID) -> HttpResponse:
    trigger = _trigger(request, slug, trigger_id)
    if request.method != "POST":
        lost = "It no longer starts runs. Its address and secret are deleted; runs in progress continue."
        if trigger.kind == "schedule":
            lost = "It no longer starts runs; runs in progress continue."
        return _ask(request, trigger, "Remove the trigger", lost)
    services.delete_trigger(actor=request.caller.actor, trigger=trigger)
    return go(request, reverse("agents:triggers", args=[slug]), f"Removed {trigger.name}. Its runs go on.")


@needs("build")
@require_POST
def move_message(request: TeamRequest, slug: str, firing_id: uuid.UUID) -> HttpResponse:
    """Try a message again that was set aside, or drop it, as `do` says."""
    agent = access.agent_for(request.caller, slug, to="edit")
    firing = Firing.objects.filter(pk=firing_id, trigger__agent=agent).first()
    if firing is None:
        raise Http404("There is no such message.")
    try:
        if request.POST.get("do") == "drop":
            parked_services.drop(actor=request.caller.actor, firing=firing)
            message = "Dropped."
        else:
            run = parked_services.try_again(actor=request.caller.actor, firing=firing)
            message = f"It has a run now: {run.public_id}."
    except Refusal as refusal:
        message = refusal.message
    return go(request, reverse("agents:triggers", args=[slug]), message)
