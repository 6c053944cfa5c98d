"""An agent's name and audience; archiving it."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from agents_app import access, where_used
from agents_app.forms.agents import SettingsForm
from agents_app.services import agents
from agents_app.views.frame import ACTIVE, frame
from console.core.forms import posted, refusals_at, refused_by, status_of
from console.core.htmx import go
from console.teams.access import needs, teams_for
from console.teams.callers import TeamRequest


@needs("view_team")
def settings(request: TeamRequest, slug: str) -> HttpResponse:
    """What an agent is called and who may use it. Members read it; builders change it."""
    agent = access.agent_for(request.caller, slug, to="edit" if request.method == "POST" else "inspect")
    form = SettingsForm(posted(request), agent=agent, teams=teams_for(request.caller))
    if form.is_valid():
        with refusals_at(form):
            agents.change_agent(actor=request.caller.actor, agent=agent, **form.changes())
            return go(request, reverse("agents:settings", args=[slug]), f"Changed {form.cleaned_data['name']}.")
    context = {
        **frame(request, agent, "settings"),
        "form": form,
        "shared": agent.shared_with.filter(pk__in=teams_for(request.caller)).order_by("name"),
    }
    return render(request, "agents/settings.html", context, status=status_of(form))


@needs("build")
def remove(request: TeamRequest, slug: str) -> HttpResponse:
    """Ask, then archive, or delete what was never published; while something uses the agent, say what instead."""
    agent = access.agent_for(request.caller, slug, to="edit")
    is_draft_only = not agent.versions.exists()
    take_away = agents.delete_agent if is_draft_only else agents.archive_agent
    refused = refused_by(request, lambda: take_away(actor=request.caller.actor, agent=agent))
    if refused is None:
        return go(request, reverse("agents:agents"), f"{'Deleted' if is_draft_only else 'Archived'} {agent.name}.")
    holders = [use for use in where_used.uses_of(agent) if use.holds]
    mine = set(teams_for(request.caller).values_list("pk", flat=True))
    near = [use for use in holders if use.team_id in mine]
    context = {
        "active": ACTIVE,
        "agent": agent,
        "refused": refused,
        "is_draft_only": is_draft_only,
        "holders": near,
        "hidden": len(holders) - len(near),
    }
    return render(request, "agents/remove.html", context, status=409 if refused else 200)
