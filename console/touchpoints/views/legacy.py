"""Places that are not on Facet: add, change, migrate, remove."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.core.forms import posted, refusals_at, status_of
from console.core.htmx import go
from console.teams.access import needs, teams_for
from console.teams.callers import TeamRequest
from console.touchpoints import access, queries
from console.touchpoints.forms import ChangeLegacyForm, LegacyForm, MigrateForm, of_legacy
from console.touchpoints.models import LegacyTouchpoint, Status
from console.touchpoints.services import legacy as services
from console.touchpoints.views.inventory import ACTIVE


def back(legacy: LegacyTouchpoint | None = None) -> str:
    return reverse("touchpoints:touchpoints") + (f"#legacy-{legacy.pk}" if legacy else "")


@needs(access.EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: TeamRequest) -> HttpResponse:
    """List one by hand."""
    teams = teams_for(request.caller, access.EDIT).order_by("name")
    form = LegacyForm(posted(request), teams=teams, initial={"team": request.GET.get("team", "")})
    if form.is_valid():
        with refusals_at(form):
            made = services.create_legacy(actor=request.caller.actor, **form.values)
            return go(request, back(made), f"Listed {made.name}.")
    context = {"active": ACTIVE, "form": form}
    return render(request, "touchpoints/new.html", context, status=status_of(form))


def _choices(legacy: LegacyTouchpoint) -> list[tuple[str, str]]:
    """Return what may have its work; what has it by now stays among them even if it is gone."""
    choices = queries.replacements(legacy.team_id)
    now = f"{legacy.replaced_by_kind}:{legacy.replaced_by_id}"
    if legacy.replaced_by_kind and now not in dict(choices):
        choices.append((now, f"{legacy.replaced_by_name} (not there any more)"))
    return choices


@needs(access.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: TeamRequest, legacy_id: uuid.UUID) -> HttpResponse:
    """Look at one, and change it."""
    may_edit_if = access.EDIT if request.method == "POST" else access.VIEW
    legacy = access.legacy_one_for(request.caller, legacy_id, to=may_edit_if)
    form = ChangeLegacyForm(posted(request), choices=_choices(legacy), initial=of_legacy(legacy))
    if form.is_valid():
        with refusals_at(form):
            services.change_legacy(actor=request.caller.actor, legacy=legacy, **form.values)
            return go(request, back(legacy), f"Saved {legacy.name}.")
    context: dict[str, Any] = {
        "active": ACTIVE,
        "legacy": legacy,
        "form": form,
        "may_edit": request.caller.may(access.EDIT, legacy.team_id),
    }
    return render(request, "touchpoints/edit.html", context, status=status_of(form))


@needs(access.EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def migrate(request: TeamRequest, legacy_id: uuid.UUID) -> HttpResponse:
    """Say that a place came over, and what on Facet has its work."""
    legacy = access.legacy_one_for(request.caller, legacy_id, to=access.EDIT)
    form = MigrateForm(
        posted(request),
        choices=_choices(legacy),
        initial={"replaced_by": of_legacy(legacy)["replaced_by"]},
    )
    if form.is_valid():
        with refusals_at(form):
            services.change_legacy(
                actor=request.caller.actor, legacy=legacy, status=Status.MIGRATED, **form.cleaned_data
            )
            return go(request, back(), f"{legacy.name} is marked as migrated.")
    context = {"active": ACTIVE, "legacy": legacy, "form": form}
    return render(request, "touchpoints/migrate.html", context, status=status_of(form))


@needs(access.EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: TeamRequest, legacy_id: uuid.UUID) -> HttpResponse:
    """Ask, then take it off the list."""
    legacy = access.legacy_one_for(request.caller, legacy_id, to=access.EDIT)
    if request.method == "POST":
        services.remove_legacy(actor=request.caller.actor, legacy=legacy)
        return go(request, back(), f"Removed {legacy.name} from the list.")
    return render(request, "touchpoints/remove.html", {"active": ACTIVE, "legacy": legacy})
