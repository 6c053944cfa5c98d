"""The people of the installation, for operators."""

import uuid

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.core.errors import Refusal
from console.core.forms import posted, refusals_at
from console.core.htmx import go
from console.core.ids import parse_id
from console.teams import access, queries
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest
from console.teams.forms.base import Confirm, ConfirmOperator
from console.teams.forms.teams import AddPersonForm
from console.teams.models import SignInLink, User
from console.teams.services import people as services
from console.teams.services.sign_in import make_sign_in_link
from console.teams.views.questions import Question, ask, go_back, shown_once, sign_in_first

_STATES = {"operators": "Operators", "disabled": "Disabled"}


@needs(OPERATOR)
@require_safe
def people(request: TeamRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    page = queries.people_page(
        access.people_for(request.caller),
        text=request.GET.get("q", "").strip()[:80],
        state=state,
        cursor=parse_id(request.GET.get("cursor", "")),
    )
    context = {
        "active": "teams",
        "page": page,
        "q": request.GET.get("q", ""),
        "state": _STATES.get(state, ""),
        "states": list(_STATES.items()),
    }
    return render(request, "teams/people.html#list" if request.htmx else "teams/people.html", context)


def _question(title: str, text: str, verb: str, *, losses: list[str] | None = None, destroys: bool = False) -> Question:
    return Question(
        title=title,
        text=text,
        verb=verb,
        back=reverse("teams:people"),
        back_label="People",
        active="teams",
        is_destructive=destroys,
        losses=losses or [],
    )


@needs(OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def add_person(request: TeamRequest) -> HttpResponse:
    form = AddPersonForm(posted(request))
    if form.is_valid():
        if again := sign_in_first(request):
            return again
        with refusals_at(form):
            user = services.create_person(actor=request.caller.actor, **form.cleaned_data)
            link, token = make_sign_in_link(actor=request.caller.actor, user=user)
            return _show_link(request, user, link, token)
    text = (
        "You get a link that signs the person in once. To give access to one team only, invite the person from that "
        "team instead."
    )
    return ask(request, _question("Add a person", text, "Add person"), form)


def _show_link(request: TeamRequest, user: User, link: SignInLink, token: str) -> HttpResponse:
    context = {
        "active": "teams",
        "title": f"Sign-in link for {user}",
        "text": "It signs the person in once. Pass it on by a channel you trust; it is not shown again.",
        "link": settings.BASE_URL + reverse("teams:sign_in_link", args=[token]),
        "ends_at": link.expires_at,
        "back": reverse("teams:people"),
        "back_label": "People",
    }
    return shown_once(request, "teams/reveal_link.html", context)


@needs(OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def make_link(request: TeamRequest, user_id: uuid.UUID) -> HttpResponse:
    user = access.person_for(request.caller, user_id)
    form = Confirm(posted(request))
    if form.is_valid():
        if again := sign_in_first(request):
            return again
        with refusals_at(form):
            link, token = make_sign_in_link(actor=request.caller.actor, user=user)
            return _show_link(request, user, link, token)
    text = f"The link signs in as {user.email} once within 24 hours. The person is told by e-mail that you made it."
    return ask(request, _question(f"Make a sign-in link for {user}", text, "Make link"), form)


@needs(OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def disable_person(request: TeamRequest, user_id: uuid.UUID) -> HttpResponse:
    user = access.person_for(request.caller, user_id)
    form = Confirm(posted(request))
    if form.is_valid():
        with refusals_at(form):
            services.disable_person(actor=request.caller.actor, user=user)
            return go(request, reverse("teams:people"), f"{user} is disabled.")
    text = (
        "Sessions end at once, and keys the person is responsible for stop with their next call. You can enable it "
        "again."
    )
    losses = [f"{key.name} {key.shown} of {key.team}" for key in queries.keys_of(user)]
    return ask(request, _question(f"Disable {user}?", text, "Disable person", losses=losses, destroys=True), form)


@needs(OPERATOR)
@require_POST
def enable_person(request: TeamRequest, user_id: uuid.UUID) -> HttpResponse:
    user = access.person_for(request.caller, user_id)
    try:
        services.enable_person(actor=request.caller.actor, user=user)
    except Refusal as refusal:
        return go_back(request, reverse("teams:people"), refusal)
    return go(request, reverse("teams:people"), f"{user} is enabled.")


@needs(OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def set_operator(request: TeamRequest, user_id: uuid.UUID) -> HttpResponse:
    """Make a person an operator, or an operator a person like the others."""
    user = access.person_for(request.caller, user_id)
    becomes = not user.is_superuser
    form = ConfirmOperator(posted(request), initial={"becomes": "yes" if becomes else "no"})
    if form.is_valid():
        if again := sign_in_first(request):
            return again
        becomes = form.cleaned_data["becomes"] == "yes"
        with refusals_at(form):
            services.set_operator(actor=request.caller.actor, user=user, is_operator=becomes)
            message = f"{user} is {'now' if becomes else 'no longer'} an operator."
            return go(request, reverse("teams:people"), message)
    if becomes:
        text = "Operators see every team, its records and its content, and can change this installation."
        return ask(request, _question(f"Make {user} an operator?", text, "Make operator"), form)
    text = "The person keeps what their memberships allow."
    return ask(request, _question(f"Remove operator rights from {user}?", text, "Remove rights", destroys=True), form)
