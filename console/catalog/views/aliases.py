"""Aliases: list, page, create, change, delete. What changes their pins is in pins.py."""

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from console.catalog import access, queries
from console.catalog.forms import AliasForm, NewAliasForm
from console.catalog.links import links_on
from console.catalog.models import Alias
from console.catalog.notes import notes_on
from console.catalog.services import aliases as services
from console.catalog.services import pins as pin_services
from console.catalog.views import confirm
from console.core.errors import Conflict
from console.core.forms import refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import OPERATOR, needs, scope_of
from console.teams.callers import TeamRequest
from console.teams.models import Environment


@needs("view_team")
def models(request: TeamRequest) -> HttpResponse:
    """Aliases with both pins, the newest moves, and for operators the providers."""
    team = scope_of(request)
    aliases = access.aliases_for(request.caller, team)
    rows = queries.alias_rows(aliases, request.caller)
    return render(
        request,
        "catalog/models.html",
        {
            "active": "models",
            "rows": rows,
            "has_canary": any(row.production and row.production.canary_version_id for row in rows),
            "moves": queries.moves(aliases, limit=8) if rows else [],
            "providers": queries.provider_rows(access.providers_for(request.caller)),
            "is_operator": request.caller.is_operator,
        },
    )


def _page_of(request: TeamRequest, alias: Alias, **more: Any) -> dict[str, Any]:
    return {
        "active": "models",
        "page": queries.alias_page(alias, request.caller),
        "notes": notes_on(request.caller, alias.name),
        "links": links_on(request.caller, alias.name),
        "is_operator": request.caller.is_operator,
        "may_read_log": request.caller.may("view_audit"),
        "me": request.caller.user,
        "question": confirm.DELETE_ALIAS,
        **more,
    }


@needs("view_team")
def alias(request: TeamRequest, name: str) -> HttpResponse:
    """One alias: what it means where, what depends on it, and how it came to mean that."""
    return render(request, "catalog/alias.html", _page_of(request, access.alias_for(request.caller, name)))


@needs(OPERATOR)
def new_alias(request: TeamRequest) -> HttpResponse:
    form = NewAliasForm(request.POST or None)
    if form.is_valid():
        with refusals_at(form):
            made = _create(request, form)
            return go(request, reverse("catalog:alias", args=[made.name]), f"Created the alias {made.name}.")
    return _form_page(request, form, title="New alias", action="Create alias")


@transaction.atomic
def _create(request: TeamRequest, form: NewAliasForm) -> Alias:
    """Create and pin in one transaction, so that a refused pin leaves no alias behind."""
    actor, given = request.caller.actor, form.cleaned_data
    alias = services.create_alias(
        actor=actor, name=given["name"], description=given["description"], teams=list(given["teams"])
    )
    for environment in Environment.values:
        if given[environment]:
            pin_services.move_pin(
                actor=actor,
                alias=alias,
                environment=environment,
                to=given[environment],
                reason="First pin",
                seen_revision=0,
            )
    return alias


@needs(OPERATOR)
def change_alias(request: TeamRequest, name: str) -> HttpResponse:
    alias = access.alias_for(request.caller, name)
    form = AliasForm(request.POST or None, alias=alias)
    if form.is_valid():
        given = form.cleaned_data
        with refusals_at(form):
            services.change_alias(
                actor=request.caller.actor,
                alias=alias,
                description=given["description"],
                teams=list(given["teams"]),
                seen_revision=given["seen_revision"],
            )
            return go(request, reverse("catalog:alias", args=[name]), f"Changed {name}.")
    return _form_page(request, form, title=f"Change {name}", action="Save changes", alias=alias)


def _form_page(request: TeamRequest, form: AliasForm, **more: Any) -> HttpResponse:
    context = {"active": "models", "form": form, **more}
    return render(request, "catalog/alias_form.html", context, status=status_of(form))


@needs(OPERATOR)
def delete_alias(request: TeamRequest, name: str) -> HttpResponse:
    alias = access.alias_for(request.caller, name)
    if request.method != "POST":
        return confirm.ask(request, confirm.DELETE_ALIAS, name=name, back_url=reverse("catalog:alias", args=[name]))
    try:
        services.delete_alias(actor=request.caller.actor, alias=alias)
    except Conflict as conflict:
        return _refused(request, alias, conflict)
    return go(request, reverse("catalog:models"), f"Deleted the alias {name}.")


def _refused(request: TeamRequest, alias: Alias, conflict: Conflict) -> HttpResponse:
    context = _page_of(request, alias, refused=conflict.message)
    if is_htmx(request):
        return render(request, "catalog/alias.html#refusal", context, status=422)
    return render(request, "catalog/alias.html", context, status=409)
