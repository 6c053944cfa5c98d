"""The only way to get an object for somebody. Strangers get 404, members without the right 403."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from allauth.usersessions.models import UserSession
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from console.core.sql import get_or_raise
from console.teams.callers import Caller, TeamRequest
from console.teams.models import ApiKey, Invitation, Membership, Team, User
from console.teams.rights import key_rights as key_rights
from console.teams.rights import rights_of as rights_of
from console.teams.roles import OPERATOR_SCOPES, SCOPES

_View = TypeVar("_View", bound=Callable[..., Any])
_M = TypeVar("_M", bound=Model)

# What a route may declare besides a right of roles.py.
PUBLIC = "public"  # anybody, signed in or not
SIGNED_IN = "signed_in"  # any person or key
OPERATOR = "operator"  # operators only


def denied(team: Team | None = None, caller: Caller | None = None, *rights: str) -> PermissionDenied:
    """Return what tells somebody that their role does not allow it; in `team`, where one team is meant.

    A key has no role: where the caller is one, what is named are the scopes for those of `rights` that it lacks.
    """
    where = f" in {team}" if team else ""
    if caller and caller.key_id:
        lacking = {right for right in rights if not caller.may(right, team.pk if team else None)}
        scopes = [f"`{name}`" for name, right in SCOPES.items() if right in lacking and name not in OPERATOR_SCOPES]
        takes = f" It takes {', '.join(scopes)}: a scope of the key that its owner's role allows." if scopes else ""
        return PermissionDenied(f"This key may not do that{where}.{takes}")
    return PermissionDenied(f"Your role{where} does not allow that. An owner of the team can change it.")


def needs(right: str) -> Callable[[_View], _View]:
    """Declare what a route needs: PUBLIC, SIGNED_IN, OPERATOR, or a right the caller must have in some team.

    A test walks the URLconf and fails on a view without it. Which team's objects the view then shows is up to
    `*_for` below; this is the door, not the shelf.
    """

    def decorate(view: _View) -> _View:
        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            caller: Caller = request.caller  # type: ignore[attr-defined]
            if right != PUBLIC and caller.is_anonymous:
                if getattr(request, "htmx", None):
                    return HttpResponse(status=401)
                return redirect_to_login(request.get_full_path())
            if right == OPERATOR and not caller.is_operator:
                raise PermissionDenied("Only operators of this installation can do that.")
            if right not in {PUBLIC, SIGNED_IN, OPERATOR} and not caller.may(right):
                if caller.user and not caller.rights and not caller.is_held:
                    raise PermissionDenied("You are in no team yet. An owner of a team can invite you.")
                raise denied()
            return view(request, *args, **kwargs)  # type: ignore[no-any-return]

        wrapper.needs = right  # type: ignore[attr-defined]
        return wrapper  # type: ignore[return-value]

    return decorate


def teams_for(caller: Caller, right: str = "view_team") -> QuerySet[Team]:
    """Return the teams in which the caller has the right; every list, count and search starts here."""
    teams = Team.objects.filter(archived_at=None)
    if caller.is_operator:
        return teams
    return teams.filter(pk__in=[team_id for team_id, rights in caller.rights.items() if right in rights])


def team_for(caller: Caller, slug: str, to: str = "view_team") -> Team:
    """Return the team, 404 for those who cannot see it, 403 for those who see it but lack the right."""
    if "\0" in slug:
        raise Http404("There is no such team.")
    team = get_or_raise(teams_for(caller).filter(slug=slug), Http404("There is no such team."))
    if not caller.may(to, team.pk):
        raise denied(team, caller, to)
    return team


def member_for(team: Team, membership_id: uuid.UUID) -> Membership:
    return get_or_raise(
        Membership.objects.select_related("user", "team").filter(team=team, pk=membership_id),
        Http404("There is no such member."),
    )


def member_to_remove(caller: Caller, team: Team, membership_id: uuid.UUID) -> Membership:
    """Return the member to take out of a team; everybody may take themselves out."""
    member = member_for(team, membership_id)
    if member.user != caller.user and not caller.may("manage_members", team.pk):
        raise denied(team, caller, "manage_members")
    return member


def scope_for(caller: Caller, slug: str, right: str = "view_team") -> Team | None:
    """Return the team a page is narrowed to by `?team=slug`, None for all the caller's teams."""
    return team_for(caller, slug, to=right) if slug else None


def scope_of(request: TeamRequest, right: str = "view_team") -> Team | None:
    """Return the team in a page's address, 404 or 403 as for its page; None where it names none."""
    return scope_for(request.caller, request.GET.get("team", ""), right)


def in_scope(request: TeamRequest, rows: QuerySet[_M], field: str = "team") -> QuerySet[_M]:
    """Return those of the team in a page's address; all of them where it names none."""
    scope = scope_of(request)
    return rows.filter(**{field: scope}) if scope else rows


def invitation_for(team: Team, invitation_id: uuid.UUID) -> Invitation:
    return get_or_raise(
        Invitation.objects.select_related("team").filter(team=team, pk=invitation_id),
        Http404("There is no such invitation."),
    )


def keys_for(caller: Caller, right: str = "manage_keys") -> QuerySet[ApiKey]:
    """Return the keys of the teams in which the caller has the right."""
    keys = ApiKey.objects.select_related("team", "owner", "replaced_by").filter(team__archived_at=None)
    if caller.is_operator:
        return keys
    return keys.filter(team__in=[team_id for team_id, rights in caller.rights.items() if right in rights])


def key_for(caller: Caller, key_id: uuid.UUID, to: str = "manage_keys") -> ApiKey:
    """Return the key, 404 for those outside its team, 403 for members who may not manage keys."""
    key = get_or_raise(keys_for(caller, "view_team").filter(pk=key_id), Http404("There is no such key."))
    if not caller.may(to, key.team_id):
        raise denied(key.team, caller, to)
    return key


def people_for(caller: Caller) -> QuerySet[User]:
    """Return everybody to operators, nobody to others."""
    return User.objects.all() if caller.is_operator else User.objects.none()


def person_for(caller: Caller, user_id: uuid.UUID) -> User:
    return get_or_raise(people_for(caller).filter(pk=user_id), Http404("There is no such person."))


def session_for(caller: Caller, session_id: int) -> UserSession:
    """Return a session of the caller's own; everybody else's looks like none."""
    return get_or_raise(
        UserSession.objects.filter(user_id=caller.actor.id, pk=session_id), Http404("There is no such session.")
    )


def member_by_email(team: Team, email: str) -> User:
    """Return the member of a team with this address; the same 404 whether nobody has it or a stranger does."""
    membership = get_or_raise(
        Membership.objects.select_related("user").filter(team=team, user__email__iexact=email),
        Http404("There is no such member."),
    )
    return membership.user
