"""Publish the draft; let an older version answer again."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from agents_app import access
from agents_app.forms.agents import PublishForm, RollBackForm
from agents_app.models import Agent, AgentVersion
from agents_app.queries import detail
from agents_app.services import versions
from agents_app.views.frame import frame
from console.core.errors import Conflict, Refusal
from console.core.forms import refuse
from console.core.htmx import go
from console.teams.access import needs
from console.teams.callers import TeamRequest


@needs("build")
def publish(request: TeamRequest, slug: str) -> HttpResponse:
    """Show what would change for whoever asks, then do it."""
    agent = access.agent_for(request.caller, slug, to="edit")
    if request.method != "POST":
        return _publish_page(request, agent, PublishForm(initial=_seen(agent)))
    form = PublishForm(request.POST)
    if form.is_valid():
        try:
            version = versions.publish_agent(actor=request.caller.actor, agent=agent, **form.cleaned_data)
        except Conflict as conflict:
            agent = access.agent_for(request.caller, slug, to="edit")
            again = PublishForm(initial={**form.cleaned_data, **_seen(agent)})
            return _publish_page(request, agent, again, changed=conflict.message, status=409)
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            said = f"Version {version.number} of {agent.name} answers from the next call on."
            return go(request, reverse("agents:agent", args=[slug]), said)
    return _publish_page(request, agent, form, status=422)


def _seen(agent: Agent) -> dict[str, int]:
    return {"seen_revision": agent.draft.revision, "seen_live": agent.live.number if agent.live else 0}


def _publish_page(
    request: TeamRequest, agent: Agent, form: PublishForm, *, changed: str = "", status: int = 200
) -> HttpResponse:
    context = {
        **frame(request, agent, "publish"),
        "form": form,
        "changed": changed,
        "differences": detail.differences(agent.live, agent.draft, agent.team_id),
    }
    return render(request, "agents/publish.html", context, status=status)


@needs("build")
def roll_back(request: TeamRequest, slug: str, number: int) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="edit")
    to = access.version_for(agent, number)
    if request.method != "POST":
        return _roll_back_page(request, agent, to, RollBackForm(initial={"seen_revision": agent.revision}))
    form = RollBackForm(request.POST)
    if form.is_valid():
        try:
            versions.roll_back_agent(actor=request.caller.actor, agent=agent, to=to, **form.cleaned_data)
        except Conflict as conflict:
            agent = access.agent_for(request.caller, slug, to="edit")
            again = RollBackForm(initial={**form.cleaned_data, "seen_revision": agent.revision})
            return _roll_back_page(request, agent, to, again, changed=conflict.message, status=409)
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            said = f"Version {number} of {agent.name} answers again, from the next call on."
            return go(request, reverse("agents:agent", args=[slug]), said)
    return _roll_back_page(request, agent, to, form, status=422)


def _roll_back_page(
    request: TeamRequest, agent: Agent, to: AgentVersion, form: RollBackForm, *, changed: str = "", status: int = 200
) -> HttpResponse:
    context = {
        **frame(request, agent, "roll_back"),
        "to": to,
        "form": form,
        "changed": changed,
        "differences": detail.differences(agent.live, to, agent.team_id),
        "is_live": agent.live_id == to.pk,
    }
    return render(request, "agents/roll_back.html", context, status=status)
