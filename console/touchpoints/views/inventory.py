"""The inventory, expectations, and the signals."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from console.core import parsing
from console.core.forms import posted, status_of
from console.core.htmx import go, is_htmx, toast
from console.teams.access import needs, scope_of, teams_for
from console.teams.callers import TeamRequest
from console.touchpoints import access, queries
from console.touchpoints.forms import ExpectationForm
from console.touchpoints.models import Kind
from console.touchpoints.queries import FILTERS, Filters, Inventory
from console.touchpoints.rows import Touchpoint
from console.touchpoints.services import expectations
from console.touchpoints.signals import signals as read_signals

ACTIVE = "touchpoints"


def wanted_of(request: TeamRequest) -> Filters:
    return Filters.of(request.GET.get("kind", ""), request.GET.get("state", ""), request.GET.get("q", ""))


def inventory_of(request: TeamRequest) -> Inventory:
    scope = scope_of(request, access.VIEW)
    return queries.inventory(access.reach_of(request.caller, scope))


@needs(access.VIEW)
@require_safe
def touchpoints(request: TeamRequest) -> HttpResponse:
    """Everything the caller's teams use; `?team=` narrows to one team's."""
    return listing(request, inventory_of(request))


@needs(access.VIEW)
@require_safe
def signals(request: TeamRequest) -> HttpResponse:
    """What became of the move, this month beside the month before; `?team=` narrows to one team's."""
    scope = scope_of(request, access.VIEW)
    reach = access.reach_of(request.caller, scope)
    context = {
        "active": ACTIVE,
        "signals": read_signals(reach),
        "may_list": bool(reach.edits_in & reach.teams),
        "may_see_teams": request.caller.may("view_team"),
        "may_read_log": request.caller.may("view_audit"),
    }
    return render(request, "touchpoints/signals.html", context)


def listing(
    request: TeamRequest,
    found: Inventory,
    *,
    editing: Touchpoint | None = None,
    form: ExpectationForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Show the list, one of its lines open to be changed."""
    scope = scope_of(request, access.VIEW)
    wanted, number = wanted_of(request), parsing.number(request.GET.get("page", ""), 1)
    context: dict[str, Any] = {
        "active": ACTIVE,
        "summary": found.summary,
        "page": found.page(wanted, number, showing=editing.key if editing else ""),
        "is_empty": not found.rows,
        "wanted": wanted,
        "words": request.GET.get("q", "")[:200],
        "kind": Kind(wanted.kind).label if wanted.kind else "",
        "kinds": Kind.choices,
        "state": FILTERS.get(wanted.state, ""),
        "states": FILTERS.items(),
        "team": scope,
        "teams": [] if scope else teams_for(request.caller, access.VIEW),
        "edits_in": access.reach_of(request.caller).edits_in,
        "editing": editing.key if editing else "",
        "form": form,
    }
    template = "touchpoints/list.html#list" if is_htmx(request) else "touchpoints/list.html"
    return render(request, template, context, status=status)


@needs(access.EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def expectation(request: TeamRequest, kind: str, subject_id: uuid.UUID) -> HttpResponse:
    """Say what is expected of a key, a widget or an agent, in its line of the list."""
    subject = access.subject_for(request.caller, kind, subject_id, to=access.EDIT)
    found = inventory_of(request)
    row = next((one for one in found.rows if one.subject == kind and one.id == subject.id), None)
    given = {"expected": row.expected, "owner": row.owner, "purpose": row.purpose} if row else {}
    form = ExpectationForm(posted(request), initial=given)
    if not form.is_valid():
        return listing(request, found, editing=row, form=form, status=status_of(form))
    expectations.set_expectation(
        actor=request.caller.actor,
        team=subject.team,
        kind=kind,
        subject_id=subject.id,
        name=subject.name,
        **form.cleaned_data,
    )
    message = f"Saved the expectations for {subject.name}."
    if is_htmx(request):
        return toast(listing(request, inventory_of(request)), message)
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    return go(request, f"{reverse('touchpoints:touchpoints')}{query}#{row.key if row else ''}", message)
