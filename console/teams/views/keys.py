"""Pages of API keys."""

import uuid
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from console.core.forms import posted, refusals_at
from console.core.htmx import go
from console.core.ids import parse_id
from console.teams import access, queries
from console.teams.access import needs
from console.teams.callers import Caller, TeamRequest
from console.teams.forms.base import Confirm
from console.teams.forms.keys import ChangeKeyForm, CreateKeyForm, HandOverKeyForm, RotateKeyForm
from console.teams.models import ApiKey, Environment, Team, User
from console.teams.roles import ADMINISTRATIVE_SCOPES, ALL_RIGHTS
from console.teams.services import keys as services
from console.teams.views.questions import Question, ask, shown_once, sign_in_first

_STATES = {"usable": "Usable", **queries.STATES}


def _allowed(caller: Caller, teams: list[Team]) -> frozenset[str]:
    """Return the rights the caller has in any of the teams; the service checks the one that is chosen."""
    if caller.is_operator:
        return ALL_RIGHTS
    return frozenset().union(*(caller.rights.get(team.pk, frozenset()) for team in teams))


def _ask_who_it_is(request: HttpRequest, scopes: Iterable[str]) -> HttpResponse | None:
    """Have the person sign in again before a key with an administrative scope is made or shown."""
    return sign_in_first(request) if ADMINISTRATIVE_SCOPES & set(scopes) else None


@needs("manage_keys")
@require_safe
def keys(request: TeamRequest) -> HttpResponse:
    team = access.scope_of(request, "manage_keys")
    state = request.GET.get("state", "usable")
    environment = request.GET.get("environment", "")
    page = queries.keys_page(
        access.keys_for(request.caller),
        team=team,
        environment=environment if environment in Environment.values else "",
        state=state if state in _STATES else "",
        text=request.GET.get("q", "").strip()[:80],
        cursor=parse_id(request.GET.get("cursor", "")),
    )
    context = {
        "active": "keys",
        "page": page,
        "team": team,
        "state": _STATES.get(state, ""),
        "states": [*_STATES.items(), ("all", "All")],
        "environment": Environment(environment).label if environment in Environment.values else "",
        "environments": Environment.choices,
        "teams": [] if team else access.teams_for(request.caller, "manage_keys"),
        "q": request.GET.get("q", ""),
    }
    return render(request, "teams/keys.html#list" if request.htmx else "teams/keys.html", context)


@needs("manage_keys")
@require_http_methods(["GET", "HEAD", "POST"])
def create_key(request: TeamRequest) -> HttpResponse:
    teams = access.teams_for(request.caller, "manage_keys")
    form = CreateKeyForm(
        posted(request),
        teams=teams,
        allowed=_allowed(request.caller, list(teams)),
        is_operator=request.caller.is_operator,
        initial={"team": request.GET.get("team", "")},
    )
    if form.is_valid():
        values = {name: value for name, value in form.cleaned_data.items() if name != "expires_in"}
        if again := _ask_who_it_is(request, values["scopes"]):
            return again
        with refusals_at(form):
            key, text = services.create_key(actor=request.caller.actor, **values)
            return _reveal(request, key, text)
    question = Question(
        title="New API key",
        text="A key belongs to one team and can only do what its scopes say. You are responsible for it: it can "
        "never do more than you may.",
        verb="Create key",
        back=reverse("teams:keys"),
        back_label="API keys",
        active="keys",
    )
    return ask(request, question, form)


def _reveal(request: HttpRequest, key: ApiKey, text: str, old: ApiKey | None = None) -> HttpResponse:
    return shown_once(request, "teams/reveal_key.html", {"active": "keys", "key": key, "text": text, "old": old})


@needs("manage_keys")
@require_GET
def key(request: TeamRequest, key_id: uuid.UUID) -> HttpResponse:
    found = access.key_for(request.caller, key_id)
    replaces = ApiKey.objects.filter(replaced_by=found).first()
    context = {"active": "keys", "row": queries.key_row(found), "key": found, "replaces": replaces}
    return render(request, "teams/key.html", context)


def _question(key: ApiKey, title: str, text: str, verb: str, *, is_destructive: bool = False) -> Question:
    return Question(
        title=title,
        text=text,
        verb=verb,
        back=reverse("teams:key", args=[key.pk]),
        back_label=key.name,
        active="keys",
        is_destructive=is_destructive,
    )


@needs("manage_keys")
@require_http_methods(["GET", "HEAD", "POST"])
def change_key(request: TeamRequest, key_id: uuid.UUID) -> HttpResponse:
    key = access.key_for(request.caller, key_id)
    form = ChangeKeyForm(
        posted(request),
        key=key,
        allowed=_allowed(request.caller, [key.team]),
        is_operator=request.caller.is_operator,
    )
    if form.is_valid():
        values = {name: value for name, value in form.cleaned_data.items() if name != "expires_in"}
        if again := _ask_who_it_is(request, [scope for scope in values["scopes"] if scope not in key.scopes]):
            return again
        with refusals_at(form):
            services.change_key(actor=request.caller.actor, key=key, **values)
            return go(request, reverse("teams:key", args=[key.pk]), f"{values['name']} is changed.")
    question = _question(key, f"Change {key.name}", "It applies from the next call on.", "Save changes")
    return ask(request, question, form)


@needs("manage_keys")
@require_http_methods(["GET", "HEAD", "POST"])
def rotate_key(request: TeamRequest, key_id: uuid.UUID) -> HttpResponse:
    key = access.key_for(request.caller, key_id)
    form = RotateKeyForm(posted(request))
    if form.is_valid():
        if again := _ask_who_it_is(request, key.scopes):
            return again
        with refusals_at(form):
            new, text = services.rotate_key(actor=request.caller.actor, key=key, **form.cleaned_data)
            key.refresh_from_db()
            return _reveal(request, new, text, old=key)
    text = f"You get a new key with the same name and limits to replace {key.shown}."
    return ask(request, _question(key, f"Rotate {key.name}", text, "Rotate key"), form)


@needs("manage_keys")
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_key(request: TeamRequest, key_id: uuid.UUID) -> HttpResponse:
    key = access.key_for(request.caller, key_id)
    form = Confirm(posted(request))
    if form.is_valid():
        with refusals_at(form):
            services.revoke_key(actor=request.caller.actor, key=key)
            return go(request, reverse("teams:keys"), f"{key.name} is revoked.")
    text = f"Programs that use {key.shown} get 401 from their next call on. This cannot be undone."
    return ask(request, _question(key, f"Revoke {key.name}?", text, "Revoke key", is_destructive=True), form)


@needs("manage_keys")
@require_http_methods(["GET", "HEAD", "POST"])
def hand_over_key(request: TeamRequest, key_id: uuid.UUID) -> HttpResponse:
    key = access.key_for(request.caller, key_id)
    people = User.objects.filter(memberships__team=key.team, is_active=True)
    if key.owner is not None:
        people = people.exclude(pk=key.owner.pk)
    form = HandOverKeyForm(posted(request), people=people)
    if form.is_valid():
        if again := _ask_who_it_is(request, key.scopes):
            return again
        with refusals_at(form):
            services.hand_over_key(actor=request.caller.actor, key=key, owner=form.cleaned_data["owner"])
            message = f"{form.cleaned_data['owner']} is responsible for {key.name} now."
            return go(request, reverse("teams:key", args=[key.pk]), message)
    text = (
        f"{key.owner or 'Nobody'} is responsible for it now. The key stays the same; its rights become those of the "
        "new person."
    )
    return ask(request, _question(key, f"Hand over {key.name}", text, "Hand over key"), form)
