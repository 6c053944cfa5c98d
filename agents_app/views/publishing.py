"""Publish the draft, or roll back to an older version."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from agents_app import access
from agents_app.forms.agents import PublishForm, RollBackForm
from agents_app.queries import detail
from agents_app.services import versions
from agents_app.views.frame import frame
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go
from console.teams.access import needs
from console.teams.callers import TeamRequest


@needs("build")
def publish(request: TeamRequest, slug: str) -> HttpResponse:
    """Show what would change for whoever asks, then do it."""
    agent = access.agent_for(request.caller, slug, to="edit")
    seen = {"seen_revision": agent.draft.revision, "seen_live": agent.live.number if agent.live else 0}
    form = PublishForm(posted(request), initial=seen)
    if form.is_valid():
        with refusals_at(form):
            version = versions.publish_agent(actor=request.caller.actor, agent=agent, **form.cleaned_data)
            message = f"Version {version.number} of {agent.name} answers from the next call on."
            return go(request, reverse("agents:agent", args=[slug]), message)
    context = {
        **frame(request, agent, "publish"),
        "form": form,
        "differences": detail.differences(agent.live, agent.draft, agent.team_id),
    }
    return render(request, "agents/publish.html", context, status=status_of(form))


@needs("build")
def roll_back(request: TeamRequest, slug: str, number: int) -> HttpResponse:
    agent = access.agent_for(request.caller, slug, to="edit")
    to = access.version_for(agent, number)
    form = RollBackForm(posted(request), initial={"seen_revision": agent.revision})
    if form.is_valid():
        with refusals_at(form):
            versions.roll_back_agent(actor=request.caller.actor, agent=agent, to=to, **form.cleaned_data)
            message = f"Version {number} of {agent.name} answers again, from the next call on."
            return go(request, reverse("agents:agent", args=[slug]), message)
    context = {
        **frame(request, agent, "roll_back"),
        "to": to,
        "form": form,
        "differences": detail.differences(agent.live, to, agent.team_id),
        "is_live": agent.live_id == to.pk,
    }
    return render(request, "agents/roll_back.html", context, status=status_of(form))
