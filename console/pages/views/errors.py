"""Error pages: a page, a toast for htmx, JSON under /api/."""

import logging
import sys

from django.core.exceptions import PermissionDenied
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from console.core.errors import Refusal
from console.core.htmx import is_htmx, toast
from console.core.ids import request_id
from console.core.outage import database_away, is_database_away
from console.teams.callers import ANONYMOUS, Caller

logger = logging.getLogger(__name__)

NOT_FOUND = "There is nothing at this address, or it is not yours to see."
TOO_MANY = "Too many attempts. Wait a few minutes, then try again."
ONLY_FORMS = (
    "This address takes what a form sends, and shows nothing by itself. Go back, and press the button there again."
)
BROKEN = "Something broke on our side. Nothing you did caused it, and what you sent may not have been saved."

_VISITORS = "/embed/"

# Stable codes for programs that wandered off /api/, in the shape the API uses everywhere.
_CODES = {
    400: "invalid_request",
    403: "policy_denied",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    429: "rate_limited",
    500: "internal_error",
    503: "service_unavailable",
}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 400, "The request could not be read. Go back, reload the page and try again.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    message = str(exception) if isinstance(exception, PermissionDenied) else ""
    return _answer(request, 403, message or "Your role does not allow that. An owner of the team can change it.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    # One sentence for all: a stranger cannot tell somebody else's object from none.
    return _answer(request, 404, NOT_FOUND)


def not_to_open(request: HttpRequest) -> HttpResponse:
    """Say why a form's address shows nothing: it was reloaded, kept as a bookmark, or come to by signing in again."""
    return _answer(request, 405, ONLY_FORMS, title="Nothing to open here")


def too_many_requests(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 429, TOO_MANY)


def server_error(request: HttpRequest) -> HttpResponse:
    try:
        if is_database_away(sys.exception()):
            return refused(request, database_away(), title="Not available right now")
        return _answer(request, 500, BROKEN)
    except Exception:
        # The page itself may need what broke, so the last word is plain text.
        logger.exception("The error page could not be rendered")
        return HttpResponse(f"{BROKEN}\n{_id_of(request)}\n", status=500, content_type="text/plain; charset=utf-8")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    # swaps.js fetches a new token for the next press, and where somebody comes back to a page.
    again = "press the button again" if is_htmx(request) else "go back and send the form again"
    return _answer(request, 403, f"You signed in or out since this page came: {again}.", title="This form is too old")


def refused(request: HttpRequest, refusal: Refusal, title: str = "") -> HttpResponse:
    """Say why a service said no, where the view did not."""
    response = _answer(request, refusal.status, refusal.message, title)
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    return response


def _answer(request: HttpRequest, status: int, message: str, title: str = "") -> HttpResponse:
    if request.path.startswith("/api/"):
        kind = "api_error" if status >= 500 else "invalid_request_error"
        code = _CODES.get(status, "invalid_request")
        said = {"message": message, "type": kind, "param": None, "code": code, "request_id": _id_of(request)}
        return JsonResponse({"error": said}, status=status)
    if request.path.startswith(_VISITORS):  # a page of ours would set a cookie and show whoever is signed in here
        return HttpResponse(f"{message}\n{_id_of(request)}\n", status=status, content_type="text/plain; charset=utf-8")
    if is_htmx(request):
        return toast(HttpResponse(status=status), message, "bad")
    template = {403: "403.html", 404: "404.html", 429: "429.html"}.get(
        status, "500.html" if status >= 500 else "400.html"
    )
    context = {"message": message, "heading": title, "shown_id": _id_of(request)}
    if _has_frame(request, status):
        try:
            return render(request, template, context | {"frame": "base_team.html"}, status=status)
        except Error:  # the navigation asks it; what is to be said here does not
            logger.warning("An error page came without its navigation.", exc_info=True)
    return render(request, template, context, status=status)


def _has_frame(request: HttpRequest, status: int) -> bool:
    """Return whether whoever reads an error page keeps the navigation: who is let in, if it is no fault of ours."""
    caller: Caller = getattr(request, "caller", ANONYMOUS)
    return 400 < status < 500 and status != 429 and caller.user is not None and not caller.is_held


def _id_of(request: HttpRequest) -> str:
    identifier = getattr(request, "request_id", None)
    return request_id(identifier) if identifier else ""
