"""Aliases, and what they mean: list, page, create, change, move, roll back, delete."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from console.catalog import access, queries
from console.catalog.forms import AliasForm, MoveForm, NewAliasForm, RollBackForm, refuse
from console.catalog.models import Alias, ModelVersion, Pin
from console.catalog.services import aliases as services
from console.catalog.services import pins as pin_services
from console.catalog.views import confirm
from console.core.errors import Conflict, Refusal
from console.core.htmx import go, is_htmx
from console.teams.access import OPERATOR, needs, scope_for
from console.teams.callers import TeamRequest
from console.teams.models import Environment


@needs("view_team")
def models(request: TeamRequest) -> HttpResponse:
    """Aliases with both pins, the newest moves, and for operators the providers."""
    team = scope_for(request.caller, request.GET.get("team", ""))
    aliases = access.aliases_for(request.caller, team)
    rows = queries.alias_rows(aliases, request.caller)
    return render(
        request,
        "catalog/models.html",
        {
            "active": "models",
            "rows": rows,
            "moves": queries.moves(aliases, limit=8) if rows else [],
            "providers": list(queries.providers(access.providers_for(request.caller))),
            "is_operator": request.caller.is_operator,
        },
    )


def _page_of(request: TeamRequest, alias: Alias, **more: Any) -> dict[str, Any]:
    page = queries.alias_page(alias, request.caller)
    forms: dict[str, Any] = {}
    if request.caller.is_operator:
        for stop in (page.production, page.sandbox):
            forms[f"move_{stop.environment}"] = MoveForm(
                initial={"seen_revision": stop.revision}, auto_id=f"move-{stop.environment}-%s"
            )
            forms[f"roll_back_{stop.environment}"] = RollBackForm(
                initial={"seen_revision": stop.revision}, auto_id=f"back-{stop.environment}-%s"
            )
        if page.can_promote and page.sandbox.pin:
            forms["promote"] = MoveForm(
                initial={"seen_revision": page.production.revision, "to": page.sandbox.pin.model_version_id},
                auto_id="promote-%s",
            )
    return {
        "active": "models",
        "page": page,
        "is_operator": request.caller.is_operator,
        "question": confirm.DELETE_ALIAS,
        **forms,
        **more,
    }


@needs("view_team")
def alias(request: TeamRequest, name: str) -> HttpResponse:
    """One alias: what it means where, what depends on it, and how it came to mean that."""
    return render(request, "catalog/alias.html", _page_of(request, access.alias_for(request.caller, name)))


@needs(OPERATOR)
def new_alias(request: TeamRequest) -> HttpResponse:
    form = NewAliasForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = _create(request, form)
        except Refusal as refusal:
            refuse(form, refusal)
        else:
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
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        services.change_alias(
            actor=request.caller.actor, alias=alias, description=given["description"], teams=list(given["teams"])
        )
        return go(request, reverse("catalog:alias", args=[name]), f"Changed {name}.")
    return _form_page(request, form, title=f"Change {name}", action="Save changes", alias=alias)


def _form_page(request: TeamRequest, form: AliasForm, **more: Any) -> HttpResponse:
    status = 422 if form.is_bound else 200
    return render(request, "catalog/alias_form.html", {"active": "models", "form": form, **more}, status=status)


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


@needs(OPERATOR)
def move_pin(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    """Ask which version and why; then move. A form that saw an older pin says what happened since."""
    alias, pin = _pin_for(request, name, environment)
    revision = pin.revision if pin else 0
    if request.method != "POST":
        form = MoveForm(initial={"seen_revision": revision, "to": request.GET.get("to", "")})
        return _move_page(request, alias, environment, form)
    form = MoveForm(request.POST, auto_id=f"move-{environment}-%s")
    if form.is_valid():
        to: ModelVersion = form.cleaned_data["to"]
        try:
            pin_services.move_pin(actor=request.caller.actor, alias=alias, environment=environment, **form.cleaned_data)
        except Conflict as conflict:
            return _stale(request, alias, environment, conflict, form)
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            return go(request, reverse("catalog:alias", args=[name]), f"{name} means {to} in {environment} now.")
    return _move_page(request, alias, environment, form, status=422)


@needs(OPERATOR)
def roll_back(request: TeamRequest, name: str, environment: str) -> HttpResponse:
    """Undo the last move of a pin."""
    alias, pin = _pin_for(request, name, environment)
    if pin is None:
        raise Http404("There is no pin to roll back.")
    to = pin_services.version_before(pin)
    form = RollBackForm(
        request.POST if request.method == "POST" else None,
        initial={"seen_revision": pin.revision},
        auto_id=f"back-{environment}-%s",
    )
    if request.method == "POST" and form.is_valid():
        try:
            pin_services.roll_back_pin(actor=request.caller.actor, pin=pin, **form.cleaned_data)
        except Conflict as conflict:
            return _stale(request, alias, environment, conflict, form)
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            said = f"Rolled {name} back to {to} in {environment}."
            return go(request, reverse("catalog:alias", args=[name]), said)
    return _move_page(request, alias, environment, form, status=422 if form.is_bound else 200, back_to=to)


def _pin_for(request: TeamRequest, name: str, environment: str) -> tuple[Alias, Pin | None]:
    alias = access.alias_for(request.caller, name)
    pin = Pin.objects.filter(alias=alias, environment=environment).select_related("alias", "model_version__provider")
    return alias, pin.first()


def _move_page(
    request: TeamRequest,
    alias: Alias,
    environment: str,
    form: MoveForm | RollBackForm,
    *,
    status: int = 200,
    back_to: ModelVersion | None = None,
    changed: str = "",
) -> HttpResponse:
    """Render the form of a move or a roll-back: the piece for a dialog, or a page of its own."""
    page = queries.alias_page(alias, request.caller)
    stop = page.production if environment == Environment.PRODUCTION else page.sandbox
    is_back = isinstance(form, RollBackForm)
    verb = "roll_back" if is_back else "move_pin"
    context = {
        "active": "models",
        "page": page,
        "stop": stop,
        "form": form,
        "is_back": is_back,
        "back_to": back_to or stop.before,
        "changed": changed,
        "action_url": reverse(f"catalog:{verb}", args=[alias.name, environment]),
    }
    template = "catalog/move.html#form" if is_htmx(request) else "catalog/move.html"
    return render(request, template, context, status=status)


def _stale(
    request: TeamRequest, alias: Alias, environment: str, conflict: Conflict, form: MoveForm | RollBackForm
) -> HttpResponse:
    """Show what changed and offer the same form over the pin as it is now. htmx swaps 422 and leaves 409 alone."""
    pin = get_object_or_404(Pin, alias=alias, environment=environment)
    values = form.cleaned_data | {"seen_revision": pin.revision}
    again: MoveForm | RollBackForm
    if isinstance(form, MoveForm):
        again = MoveForm(initial=values | {"to": values["to"].pk}, auto_id=form.auto_id)
    else:
        again = RollBackForm(initial=values, auto_id=form.auto_id)
    status = 422 if is_htmx(request) else 409
    return _move_page(request, alias, environment, again, status=status, changed=conflict.message)


def _refused(request: TeamRequest, alias: Alias, conflict: Conflict) -> HttpResponse:
    context = _page_of(request, alias, refused=conflict.message)
    if is_htmx(request):
        return render(request, "catalog/alias.html#refusal", context, status=422)
    return render(request, "catalog/alias.html", context, status=409)
