"""Put the session's Caller on the request, end expired sessions, and require two-factor sign-in where set."""

import time
from collections.abc import Callable
from contextlib import suppress

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from console.core.htmx import is_htmx
from console.teams import refusals
from console.teams.callers import ANONYMOUS, Caller, caller_for_session

# In the session: when the person signed in, and when a request last came, as seconds since 1970.
STARTED, SEEN = "started_at", "seen_at"
# How exact "last seen" and the idle limit are; without it every page would write to the database.
SEEN_EVERY_SECONDS = 60
# Where somebody who must set up a second factor may go: to set it up, to sign out, or to what needs no sign-in.
# The management API answers them too, with 403: until then they have no rights.
_PROGRAMS, _VISITORS = "/api/", "/embed/"
_OPEN_TO_HELD = ("/accounts/", "/static/", "/health/", "/sign-in/", "/invitations/", _PROGRAMS)


class CallerMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if refusals.is_due():
            with suppress(Error):  # a page that only reads is there on a full disk, too
                refusals.flush()
        caller = self._caller(request)
        request.caller = caller  # type: ignore[attr-defined]
        if caller.is_held and not request.path.startswith(_OPEN_TO_HELD):
            return self._hold(request)
        return self.get_response(request)

    @staticmethod
    def _caller(request: HttpRequest) -> Caller:
        if request.path.startswith(_PROGRAMS) and (
            "authorization" in request.headers or "x-api-key" in request.headers
        ):
            return ANONYMOUS  # a program's request; its face reads the key, and the cookie counts for nothing
        if request.path.startswith(_VISITORS):
            return ANONYMOUS  # a visitor's, whose token the view reads; no cookie is read or set
        if not request.user.is_authenticated or _is_over(request):
            return ANONYMOUS
        return caller_for_session(request)

    @staticmethod
    def _hold(request: HttpRequest) -> HttpResponse:
        url = reverse("mfa_index")
        if is_htmx(request):
            return HttpResponse(status=204, headers={"HX-Redirect": url})
        messages.warning(request, "A team you belong to requires two-factor sign-in. Set it up to go on.")
        return redirect(url)


def _is_over(request: HttpRequest) -> bool:
    """Sign out of a session past its idle or absolute limit, and remember that it was seen otherwise.

    The cookie's own age cannot do this: it starts again whenever the session is saved.
    """
    session, at = request.session, time.time()
    started, seen = session.get(STARTED), session.get(SEEN)
    if started is None or seen is None:
        session[STARTED] = session[SEEN] = at
        return False
    if at - started > settings.SESSION_COOKIE_AGE or at - seen > settings.SESSION_IDLE_SECONDS:
        logout(request)
        return True
    if at - seen >= SEEN_EVERY_SECONDS:
        session[SEEN] = at
        UserSession.objects.filter(session_key=session.session_key).update(last_seen_at=timezone.now())
    return False
