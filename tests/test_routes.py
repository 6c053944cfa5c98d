"""Every route of the console, tried by everybody: who gets in, and that a stranger's id looks like no id at all.

A new route needs two things here: its view declares what it needs (`@needs`, or `needs` on a DRF view), and if it takes
arguments, FACTORIES says how to make them in Team A. A route without either makes this file fail.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from console.teams.access import OPERATOR, PUBLIC, SIGNED_IN
from console.teams.actors import SYSTEM, Actor
from console.teams.models import Role, User
from console.teams.roles import ALL_RIGHTS, RIGHTS
from console.teams.services import invitations, people
from console.teams.services.sign_in import make_sign_in_link
from tests import make
from tests.conftest import Cast

# Routes of packages, which cannot declare what they need. Each brings its own guard, tested elsewhere.
UNDECLARED = {
    "accounts/": "allauth: sign-in and the person's own account; tests/teams/test_sign_in.py and test_sessions.py",
    "admin/": "Django's admin: operators only, tests/teams/test_admin.py",
}


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    pattern: str
    needs: str | None
    parameters: frozenset[str]

    @property
    def is_object(self) -> bool:
        return bool(self.parameters)


def routes() -> Iterator[Route]:
    def walk(patterns: Any, prefix: str, namespaces: tuple[str, ...]) -> Iterator[Route]:
        for entry in patterns:
            pattern = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                spaces = namespaces + ((entry.namespace,) if entry.namespace else ())
                yield from walk(entry.url_patterns, pattern, spaces)
            elif isinstance(entry, URLPattern):
                view = entry.callback
                declared = getattr(view, "needs", None) or getattr(getattr(view, "cls", None), "needs", None)
                declared = declared or getattr(getattr(view, "view_class", None), "needs", None)
                name = ":".join((*namespaces, entry.name or pattern))
                yield Route(name, pattern, declared, frozenset(entry.pattern.converters))

    yield from walk(get_resolver().url_patterns, "", ())


def ours() -> list[Route]:
    return [route for route in routes() if not route.pattern.startswith(tuple(UNDECLARED))]


PAGES = [route for route in ours() if not route.pattern.startswith("api/")]
OBJECTS = [route for route in PAGES if route.is_object]


# How to make what a route's arguments name, in Team A -----------------------------------------------------------------

Arguments = dict[str, Any]


def _team(cast: Cast) -> Arguments:
    return {"slug": cast.team_a.slug}


def _member(cast: Cast) -> Arguments:
    return {"slug": cast.team_a.slug, "membership_id": cast.team_a.memberships.get(user=cast.bob).pk}


def _invitation(cast: Cast) -> Arguments:
    alice = Actor("user", cast.alice.pk, "Alice")
    invitation, _ = invitations.invite(actor=alice, team=cast.team_a, email="new@example.com", role=Role.MEMBER)
    return {"slug": cast.team_a.slug, "invitation_id": invitation.pk}


def _key(cast: Cast) -> Arguments:
    return {"key_id": cast.kim.pk}


def _person(cast: Cast) -> Arguments:
    return {"user_id": cast.bob.pk}


def _sign_in_link(cast: Cast) -> Arguments:
    return {"token": make_sign_in_link(actor=SYSTEM, user=cast.bob)[1]}


def _invitation_link(cast: Cast) -> Arguments:
    _, token = invitations.invite(actor=SYSTEM, team=cast.team_a, email="new@example.com", role=Role.MEMBER)
    return {"token": token}


FACTORIES: dict[str, Callable[[Cast], Arguments]] = {
    "teams:team": _team,
    "teams:change_team": _team,
    "teams:archive_team": _team,
    "teams:invite": _team,
    "teams:change_role": _member,
    "teams:remove_member": _member,
    "teams:resend_invitation": _invitation,
    "teams:revoke_invitation": _invitation,
    "teams:key": _key,
    "teams:change_key": _key,
    "teams:rotate_key": _key,
    "teams:revoke_key": _key,
    "teams:hand_over_key": _key,
    "teams:make_link": _person,
    "teams:disable_person": _person,
    "teams:enable_person": _person,
    "teams:set_operator": _person,
    "teams:sign_in_link": _sign_in_link,
    "teams:accept_invitation": _invitation_link,
}
# Routes whose link is the permission: whoever holds it gets in, which is why no id of another team exists for them.
BEARERS = {"teams:sign_in_link", "teams:accept_invitation"}


def missing(arguments: Arguments) -> Arguments:
    """Return arguments of the same kinds that name nothing; the parent stays, so that nesting is tested too."""

    def other(value: Any) -> Any:
        return uuid.uuid4() if isinstance(value, uuid.UUID) else f"no-{value}"

    last = list(arguments)[-1]
    return {**arguments, last: other(arguments[last])}


# Who tries -----------------------------------------------------------------------------------------------------------


def _nobody(cast: Cast) -> User | None:
    return None


def _with_role(role: str) -> Callable[[Cast], User]:
    return lambda cast: make.make_member(cast.team_a, role=role)


def _disabled(cast: Cast) -> User:
    user = make.make_member(cast.team_a, role=Role.OWNER)
    return people.disable_person(actor=SYSTEM, user=user)


ACTORS: dict[str, tuple[Callable[[Cast], User | None], frozenset[str]]] = {
    "anonymous": (_nobody, frozenset()),
    "disabled": (_disabled, frozenset()),
    "stranger": (lambda cast: make.make_user(), frozenset()),
    **{role: (_with_role(role), RIGHTS[role]) for role in Role.values},
    "operator": (lambda cast: cast.operator, ALL_RIGHTS),
}


def get(user: User | None, url: str, **headers: str) -> HttpResponse:
    client = Client(headers=headers)
    if user is not None:
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client.get(url)  # type: ignore[return-value]


def address(route: Route, cast: Cast) -> str:
    return reverse(route.name, kwargs=FACTORIES[route.name](cast) if route.is_object else None)


# The tests -----------------------------------------------------------------------------------------------------------


def test_every_route_declares_what_it_needs() -> None:
    known = {PUBLIC, SIGNED_IN, OPERATOR} | ALL_RIGHTS
    undeclared = [f"{route.name} ({route.pattern})" for route in ours() if route.needs not in known]
    assert not undeclared, f"Declare @needs(…) on: {', '.join(undeclared)}"


def test_every_route_with_arguments_has_a_factory() -> None:
    lacking = [route.name for route in OBJECTS if route.name not in FACTORIES]
    assert not lacking, f"Add to FACTORIES in tests/test_routes.py: {', '.join(lacking)}"
    stale = set(FACTORIES) - {route.name for route in OBJECTS}
    assert not stale, f"These routes are gone; remove their factories: {', '.join(stale)}"


def test_the_list_of_undeclared_routes_is_true() -> None:
    patterns = [route.pattern for route in routes()]
    assert all(any(pattern.startswith(prefix) for pattern in patterns) for prefix in UNDECLARED)


@pytest.mark.parametrize("who", ACTORS)
def test_it_lets_in_whom_it_should(cast: Cast, who: str) -> None:
    """Try every page as one actor. What a page needs decides, and nothing else."""
    make_user, rights = ACTORS[who]
    user = make_user(cast)
    wrong = []
    for route in PAGES:
        if route.is_object and route.name not in FACTORIES:
            continue
        response = get(user, address(route, cast))
        expected = _expected(route, who, rights)
        if response.status_code not in expected:
            wrong.append(f"{route.name}: {response.status_code}, not {sorted(expected)}")
    assert not wrong, "\n".join(wrong)


# 405: a route for POST only, which the method check refuses after the door let the caller in.
_IN = {200, 204, 302, 405}


def _expected(route: Route, who: str, rights: frozenset[str]) -> set[int]:
    if route.needs == PUBLIC:
        return {200, 503} if route.name == "pages:ready" else _IN
    if who in {"anonymous", "disabled"}:
        return {302}
    if route.needs == SIGNED_IN or who == "operator":
        return _IN
    if route.needs == OPERATOR:
        return {403}
    return _IN if route.needs in rights else {403}


@pytest.mark.parametrize("who", ["anonymous", "disabled"])
def test_it_sends_nobody_to_sign_in_and_back(cast: Cast, who: str) -> None:
    user = ACTORS[who][0](cast)
    for route in PAGES:
        if route.needs == PUBLIC or (route.is_object and route.name not in FACTORIES):
            continue
        url = address(route, cast)
        response = get(user, url)
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/?next=/"), route.name


@pytest.mark.parametrize("route", [r for r in OBJECTS if r.name not in BEARERS], ids=lambda route: route.name)
@pytest.mark.parametrize("by_htmx", [False, True], ids=["page", "htmx"])
def test_another_teams_id_looks_like_no_id(cast: Cast, route: Route, by_htmx: bool) -> None:
    """Charlie owns Team B. What he gets for Team A's objects is what he gets for objects that do not exist."""
    if route.name not in FACTORIES:
        pytest.skip("its factory is missing, which test_every_route_with_arguments_has_a_factory reports")
    arguments = FACTORIES[route.name](cast)
    headers = {"HX-Request": "true"} if by_htmx else {}
    theirs = get(cast.charlie, reverse(route.name, kwargs=arguments), **headers)
    nothing = get(cast.charlie, reverse(route.name, kwargs=missing(arguments)), **headers)
    assert theirs.status_code == nothing.status_code
    assert _plain(theirs, arguments) == _plain(nothing, missing(arguments))
    assert theirs.status_code in {403, 404, 405}
    assert cast.team_a.name not in theirs.content.decode()


def _plain(response: HttpResponse, arguments: Arguments) -> str:
    """Return the body without what differs between any two requests: their id, the token, and what was asked for."""
    text = response.content.decode()
    for value in arguments.values():
        text = text.replace(str(value), "…")
    csrf = response.wsgi_request.META.get("CSRF_COOKIE")  # type: ignore[attr-defined]
    lines = [line for line in text.splitlines() if "csrf" not in line.lower() and "req_" not in line]
    return "\n".join(lines).replace(str(csrf), "…")


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.name)
def test_pages_do_not_look_at_keys(cast: Cast, route: Route) -> None:
    if route.needs == PUBLIC or (route.is_object and route.name not in FACTORIES):
        return
    url = address(route, cast)
    with_key = get(None, url, Authorization=f"Bearer {cast.kim_text}", **{"X-Api-Key": cast.kim_text})
    assert with_key.status_code == 302
    assert "/accounts/login/" in with_key["Location"]
