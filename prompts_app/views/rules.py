"""A team's rules for moving labels of its prompts."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from console.core.forms import refusals_at
from console.core.htmx import go
from console.teams.access import needs, team_for, teams_for
from console.teams.callers import TeamRequest
from prompts_app import gates
from prompts_app.forms.prompts import RuleForm
from prompts_app.models import USUAL_LABELS, LabelRule
from prompts_app.services import labels
from prompts_app.views.frame import ACTIVE


@needs("view_team")
def rules(request: TeamRequest) -> HttpResponse:
    """Every team's rules, to read; whoever manages a team sets them."""
    is_post = request.method == "POST"
    form = RuleForm(request.POST if is_post else None)
    slug = request.POST.get("team", "") if is_post else request.GET.get("team", "")
    if is_post:
        team = team_for(request.caller, slug, to="manage_team")
        if form.is_valid():
            with refusals_at(form):
                labels.set_rule(actor=request.caller.actor, team=team, **form.cleaned_data)
                name = form.cleaned_data["label"]
                return go(request, reverse("prompts:rules"), f"Set the rule of {team.name} for {name}.")
    teams = list(teams_for(request.caller))
    if slug:
        team_for(request.caller, slug)
    by_team: dict[object, list[LabelRule]] = {}
    for rule in LabelRule.objects.filter(team__in=teams):
        by_team.setdefault(rule.team_id, []).append(rule)
    context = {
        "active": ACTIVE,
        "rows": [
            (team, by_team.get(team.pk, []), request.caller.may("manage_team", team.pk))
            for team in teams
            if is_post or not slug or team.slug == slug
        ],
        "form": form,
        "wrong_team": slug if form.errors else "",
        "usual": USUAL_LABELS,
        "has_gates": bool(gates.GATES),
    }
    return render(request, "prompts/rules.html", context, status=422 if form.errors else 200)
