"""The quotas page, and its confirmations: a dialog for htmx, a page otherwise."""

import uuid
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from console.audit.redaction import kept_name
from console.core.clock import now
from console.core.forms import posted, refusals_at
from console.core.htmx import go
from console.teams.access import denied, needs, scope_of, teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Team
from console.teams.views.questions import Question, ask
from usage_app import access
from usage_app.forms.quotas import ChangeQuotaForm, IncreaseForm, SetQuotaForm
from usage_app.models import Quota
from usage_app.queries import quota_page
from usage_app.queries.quotas import SHOWN_END_USERS, of_end_users, states
from usage_app.services import quotas as services

# Drawing a limit takes half a millisecond, so an installation of many teams gets them page by page.
_ROWS = 50
_form = require_http_methods(["GET", "HEAD", "POST"])


def _back(request: TeamRequest) -> str:
    scope = scope_of(request, "view_usage")
    return reverse("usage:quotas") + (f"?team={scope.slug}" if scope else "")


def _question(request: TeamRequest, title: str, text: str, verb: str, **more: Any) -> Question:
    return Question(title, text, verb, back=_back(request), back_label="Quotas", active="quotas", **more)


def _teams(request: TeamRequest) -> list[Team]:
    scope = scope_of(request, "view_usage")
    return [scope] if scope else list(teams_for(request.caller, "view_usage"))


@needs("view_usage")
@require_safe
def quotas(request: TeamRequest) -> HttpResponse:
    moment = now()
    teams = _teams(request)
    page = quota_page.page(
        [team.pk for team in teams],
        history_of=[team.pk for team in teams if request.caller.may("view_audit", team.pk)],
        now=moment,
    )
    shown = Paginator(page.states, _ROWS).get_page(request.GET.get("page"))
    rows = [(state, access.may_manage(request.caller, state.quota)) for state in shown]
    return render(
        request,
        "usage/quotas.html",
        {
            "active": "quotas",
            "page": page,
            "shown": shown,
            "rows": rows,
            "now": moment,
            "may_set": bool(access.teams_to_limit(request.caller, teams)),
            "may_raise": page.urgent is not None and access.may_manage(request.caller, page.urgent.quota),
        },
    )


@needs("view_usage")
@_form
def set_quota(request: TeamRequest) -> HttpResponse:
    teams = access.teams_to_limit(request.caller, _teams(request))
    if not teams:
        raise denied()
    form = SetQuotaForm(request.POST or None, teams=teams, allows_team_wide=request.caller.is_operator)
    if form.is_valid():
        values = form.values()
        access.check_may_set(request.caller, values["team"], team_wide=form.is_team_wide)
        with refusals_at(form):
            quota = services.set_quota(actor=request.caller.actor, **values)
            return go(request, _back(request), f"{quota.team}: {quota.title} is limited from the next call on.")
    text = "Applies from the next call on and includes what the current period has used already."
    return ask(request, _question(request, "New quota", text, "Create quota"), form)


@needs("view_usage")
@_form
def change_quota(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    quota = access.quota_for(request.caller, public_id, to="manage")
    form = ChangeQuotaForm(request.POST or None, quota=quota)
    if form.is_valid():
        with refusals_at(form):
            services.change_quota(actor=request.caller.actor, quota=quota, **form.cleaned_data)
            return go(request, _back(request), f"{quota.team}: {quota.title} is changed from the next call on.")
    question = _question(
        request,
        f"Change {quota.title}",
        f"{quota.team}. Usage so far stays counted.",
        "Save changes",
        remove_url=reverse("usage:remove_quota", args=[quota.public_id]),
    )
    return ask(request, question, form)


@needs("view_usage")
@require_safe
def quota_end_users(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    """Show who used most of a limit for each end user, or what the one named has used."""
    quota = access.quota_for(request.caller, public_id)
    if not quota.each_end_user:
        raise Http404("This quota is not for each end user.")
    (state,) = states(Quota.objects.filter(pk=quota.pk).select_related("team", "key"), now=now())
    name = request.GET.get("end_user", "")
    context = {
        "active": "quotas",
        "state": state,
        "name": name,
        "rows": of_end_users(state, kept_name("", name)),
        "most": SHOWN_END_USERS,
        "may_see_log": request.caller.may("view_audit", quota.team_id),
    }
    return render(request, "usage/quota_end_users.html", context)


@needs("view_usage")
@_form
def remove_quota(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    quota = access.quota_for(request.caller, public_id, to="manage")
    if request.method == "POST":
        services.remove_quota(actor=request.caller.actor, quota=quota)
        return go(request, _back(request), f"{quota.team}: {quota.title} is no longer limited.")
    text = f"{_loss(quota)} The audit log keeps what was used; a new quota starts with the usage of the current period."
    question = _question(request, f"Remove the quota “{quota.title}”?", text, "Remove quota", is_destructive=True)
    return ask(request, question, forms.Form())


def _loss(quota: Quota) -> str:
    scope = f"alias {quota.alias}" if quota.alias else quota.of or "the whole team"
    if quota.each_end_user:
        return (
            f"No end user of {quota.team} ({scope}) will be limited by this quota any more. Its increases are deleted."
        )
    return (
        f"Calls of {quota.team} ({scope}) will no longer be limited by this quota. Its increases and alerts are "
        "deleted."
    )


@needs("view_usage")
@_form
def increase_quota(request: TeamRequest, public_id: uuid.UUID) -> HttpResponse:
    quota = access.quota_for(request.caller, public_id, to="manage")
    (state,) = states(Quota.objects.filter(pk=quota.pk).select_related("team", "key"), now=now())
    form = IncreaseForm(request.POST or None, quota=quota, until=state.period_end)
    if form.is_valid():
        with refusals_at(form):
            services.increase_quota(actor=request.caller.actor, quota=quota, **form.cleaned_data)
            return go(request, _back(request), f"{quota.team}: {quota.title} is raised temporarily.")
    if quota.each_end_user:
        text = (
            f"Each end user of {quota.team} may use {state.limit_text}; the increase applies to all of them. "
            f"{state.forecast_text}."
        )
    else:
        text = f"{quota.team} has used {state.used_text} of {state.limit_text}. {state.forecast_text}."
    return ask(request, _question(request, f"Raise {quota.title} temporarily", text, "Raise limit"), form)


@needs("view_usage")
@_form
def end_increase(request: TeamRequest, increase_id: uuid.UUID) -> HttpResponse:
    increase = access.increase_for(request.caller, increase_id)
    form = forms.Form(posted(request))
    if form.is_valid():
        with refusals_at(form):
            services.end_increase(actor=request.caller.actor, increase=increase)
            return go(request, _back(request), f"{increase.quota.team}: the increase has ended.")
    question = _question(
        request,
        "End the increase now?",
        f"{increase.quota.team}, {increase.quota.title}: the limit returns to its old value from the next call on.",
        "End increase",
        is_destructive=True,
    )
    return ask(request, question, form)
