"""The page of a person's sessions, at allauth's URL, whose own page records nothing."""

from typing import cast

from allauth.usersessions.models import UserSession
from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from console.core.formatting import browser
from console.core.htmx import go
from console.teams import access
from console.teams.access import SIGNED_IN, needs
from console.teams.callers import TeamRequest
from console.teams.models import User
from console.teams.services.sessions import end_sessions


@needs(SIGNED_IN)
@require_http_methods(["GET", "HEAD", "POST"])
def sessions(request: TeamRequest) -> HttpResponse:
    """Show where one is signed in; POST ends every session but this one."""
    user, here = cast(User, request.user), request.session.session_key
    found = sorted(UserSession.objects.purge_and_list(user), key=lambda session: (session.created_at, session.pk))
    others = [session for session in found if session.session_key != here]
    if request.method == "POST":
        end_sessions(actor=request.caller.actor, user=user, sessions=others)
        return go(request, reverse("usersessions_list"), "Ended all other sessions.")
    return render(
        request, "usersessions/usersession_list.html", {"sessions": found, "here": here, "has_others": bool(others)}
    )


@needs(SIGNED_IN)
@require_POST
def end_session(request: TeamRequest, session_id: int) -> HttpResponse:
    session = access.session_for(request.caller, session_id)
    if session.session_key == request.session.session_key:
        logout(request)
        return go(request, reverse("account_login"))
    end_sessions(actor=request.caller.actor, user=cast(User, request.user), sessions=[session])
    return go(request, reverse("usersessions_list"), f"Ended the session of {browser(session.user_agent)}.")
