"""The widgets of a team: the list, a new one, and its settings."""

import uuid
from typing import Any

from csp.decorators import csp_update
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents_app.models import Agent
from console.chat import access
from console.chat.models import Widget
from console.chat.queries import visits
from console.chat.queries import widgets as queries
from console.chat.services import widgets as services
from console.chat.views.widget_preview import look_of, look_query
from console.chat.widget_forms import NewWidgetForm, WidgetForm
from console.core.errors import Overtaken
from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import in_scope, needs, teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Team

ACTIVE = "widgets"


@needs("view_team")
@require_safe
def widgets(request: TeamRequest) -> HttpResponse:
    """The widgets of the caller's teams with their day so far; `?team=` narrows to one team's."""
    shown = in_scope(request, access.widgets_for(request.caller))
    context = {
        "active": ACTIVE,
        "rows": queries.rows(shown),
        "may_build": request.caller.may("build"),
        "has_agent": access.agents_to_talk_to(request.caller).exists(),
    }
    return render(request, "chat/widgets/list.html", context)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def new_widget(request: TeamRequest) -> HttpResponse:
    """Make one. With htmx the assistants follow the team that is chosen."""
    given = request.POST if request.method == "POST" else request.GET
    teams = teams_for(request.caller, "build").order_by("name")
    agents = access.agents_to_talk_to(request.caller).order_by("name")
    team = _chosen(given.get("team", ""), teams, agents)
    form = NewWidgetForm(
        posted(request),
        teams=teams,
        agents=agents,
        team=team,
        initial={"team": team.slug if team else "", "agent": given.get("agent", "")},
    )
    if form.is_valid():
        with refusals_at(form):
            made = services.create_widget(actor=request.caller.actor, **form.cleaned_data)
            return go(request, reverse("chat:widget", args=[made.pk]), f"Created {made.name}. Make it yours.")
    is_piece = is_htmx(request) and request.headers.get("HX-Target") == "agent-field"
    template = "chat/widgets/new.html#agent" if is_piece else "chat/widgets/new.html"
    context = {"active": ACTIVE, "form": form, "has_agent": agents.exists()}
    response = render(request, template, context, status=status_of(form))
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def _chosen(slug: str, teams: QuerySet[Team], agents: QuerySet[Agent]) -> Team | None:
    """Return the team of that name, else the first that has an assistant of its own, else the first."""
    choices, owners = list(teams), set(agents.values_list("team", flat=True))
    named = [team for team in choices if team.slug == slug]
    return next(iter([*named, *(team for team in choices if team.pk in owners), *choices]), None)


@needs("view_team")
@csp_update({"frame-src": ["'self'"]})  # type: ignore[arg-type]
@require_http_methods(["GET", "HEAD", "POST"])
def widget(request: TeamRequest, widget_id: uuid.UUID) -> HttpResponse:
    """One widget. Builders change it; with `do=look` they see what they typed, and nothing is saved."""
    widget = access.widget_for(request.caller, widget_id, to="edit" if request.method == "POST" else "view")
    agents = queries.agents_answering(widget.team)
    if request.method != "POST":
        return _page(request, widget, WidgetForm(widget=widget, agents=agents))
    form = WidgetForm(request.POST, widget=widget, agents=agents)
    if request.POST.get("do") == "look":
        return _look(request, widget, form)
    if form.is_valid():
        seen = form.cleaned_data["seen_revision"]
        with refusals_at(form):
            services.change_widget(actor=request.caller.actor, widget=widget, seen_revision=seen, **form.values())
            return go(request, reverse("chat:widget", args=[widget.pk]), f"Saved {form.cleaned_data['name']}.")
    status, look = status_of(form), look_of(widget, form.cleaned_data)
    theirs = queries.differences(Widget(**form.values()), widget) if status == Overtaken.status else []
    return _page(request, widget, form, status=status, look=look, theirs=theirs)


def _look(request: TeamRequest, widget: Widget, form: WidgetForm) -> HttpResponse:
    """Show what was typed in the preview; what cannot be used is shown as it was saved."""
    form.is_valid()
    if not is_htmx(request):
        return _page(request, widget, form, look=look_of(widget, form.cleaned_data))
    context = _preview(widget, look_of(widget, form.cleaned_data))
    response = render(request, "chat/widgets/_preview.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _page(
    request: TeamRequest,
    widget: Widget,
    form: WidgetForm,
    *,
    status: int = 200,
    look: dict[str, Any] | None = None,
    **more: Any,
) -> HttpResponse:
    context: dict[str, Any] = {
        "active": ACTIVE,
        "widget": widget,
        "row": queries.row(widget),
        "form": form,
        "snippet": queries.snippet_of(widget),
        "may_edit": request.caller.may("build", widget.team_id),
        **visits.around(request.caller, widget),
        **_preview(widget, look or look_of(widget, {})),
        **more,
    }
    return render(request, "chat/widgets/detail.html", context, status=status)


def _preview(widget: Widget, look: dict[str, Any]) -> dict[str, Any]:
    return {"widget": widget, "look": look, "preview_url": f"{reverse('chat:widget_preview')}?{look_query(look)}"}


@needs("build")
@require_POST
def enable(request: TeamRequest, widget_id: uuid.UUID) -> HttpResponse:
    """Switch it on, or off: `to=on`, `to=off`."""
    widget = access.widget_for(request.caller, widget_id, to="edit")
    is_enabled = request.POST.get("to") == "on"
    services.enable_widget(actor=request.caller.actor, widget=widget, is_enabled=is_enabled)
    message = f"{widget.name} answers again." if is_enabled else f"{widget.name} no longer accepts messages."
    return go(request, reverse("chat:widget", args=[widget.pk]), message)
