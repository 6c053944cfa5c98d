"""Alert rules: of a team for its owners, of the installation for operators."""

import uuid
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from console.core.forms import posted, refusals_at
from console.core.htmx import go
from console.notices.access import owner_for
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest
from console.teams.models import Team
from console.teams.views.questions import Question, ask
from usage_app import access
from usage_app.forms.alert_rules import RuleForm
from usage_app.queries.alert_rules import rules_of
from usage_app.services import alert_rules as services

_form = require_http_methods(["GET", "HEAD", "POST"])


def _home(team: Team | None) -> str:
    return reverse("usage:team_alert_rules", args=[team.slug]) if team else reverse("usage:alert_rules")


def _question(team: Team | None, title: str, text: str, verb: str, **more: Any) -> Question:
    active = "teams" if team else "settings"
    return Question(title, text, verb, back=_home(team), back_label="Alert rules", active=active, **more)


@needs(OPERATOR)
@require_safe
def rules(request: TeamRequest) -> HttpResponse:
    return _rules(request, None)


@needs(access.ALERTS)
@require_safe
def team_rules(request: TeamRequest, slug: str) -> HttpResponse:
    return _rules(request, owner_for(request.caller, slug))


def _rules(request: TeamRequest, team: Team | None) -> HttpResponse:
    context = {
        "active": "teams" if team else "settings",
        "team": team,
        "rules": rules_of(team),
        "alerts_url": reverse("notices:team_alerts", args=[team.slug]) if team else reverse("notices:alerts"),
        "new_url": reverse("usage:new_team_alert_rule", args=[team.slug]) if team else reverse("usage:new_alert_rule"),
    }
    return render(request, "usage/alert_rules.html", context)


@needs(OPERATOR)
@_form
def new_rule(request: TeamRequest) -> HttpResponse:
    return _new(request, None)


@needs(access.ALERTS)
@_form
def new_team_rule(request: TeamRequest, slug: str) -> HttpResponse:
    return _new(request, owner_for(request.caller, slug))


def _new(request: TeamRequest, team: Team | None) -> HttpResponse:
    form = RuleForm(posted(request), team=team)
    if form.is_valid():
        with refusals_at(form):
            rule = services.create_rule(actor=request.caller.actor, team=team, **form.cleaned_data)
            return go(request, _home(team), f"The rule is set: {rule}.")
    whose = f"Calls of {team}" if team else "Calls of all teams, taken together"
    text = f"{whose}. People are notified once when the rule applies, and once when it no longer does."
    return ask(request, _question(team, "New alert rule", text, "Create rule"), form)


@needs(access.ALERTS)
@_form
def change_rule(request: TeamRequest, rule_id: uuid.UUID) -> HttpResponse:
    rule = access.rule_for(request.caller, rule_id)
    form = RuleForm(posted(request), rule=rule)
    if form.is_valid():
        with refusals_at(form):
            rule = services.change_rule(actor=request.caller.actor, rule=rule, **form.cleaned_data)
            return go(request, _home(rule.team), f"The rule is changed: {rule}.")
    remove_url = reverse("usage:remove_alert_rule", args=[rule.pk])
    question = _question(rule.team, f"Change {rule}", "", "Save changes", remove_url=remove_url)
    return ask(request, question, form)


@needs(access.ALERTS)
@_form
def remove_rule(request: TeamRequest, rule_id: uuid.UUID) -> HttpResponse:
    rule = access.rule_for(request.caller, rule_id)
    team = rule.team
    if request.method == "POST":
        services.delete_rule(actor=request.caller.actor, rule=rule)
        return go(request, _home(team), "The rule is removed.")
    text = "Nobody is notified by it any more, nor of the end of an alert that goes on."
    question = _question(team, f"Remove the rule “{rule}”?", text, "Remove rule", is_destructive=True)
    return ask(request, question, forms.Form())
