"""Authenticate callers of the management API: a key, or a browser session with its CSRF token."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from console.core.errors import NotAllowed
from console.teams.callers import Caller, caller_from_request


def _no_answer(_: Any) -> HttpResponse:
    raise AssertionError("the check only looks at the request")


class CallerAuthentication(BaseAuthentication):
    """Put the Caller on the request. With a key the cookies are ignored; with a session, changes need a CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        http = request._request
        caller = caller_from_request(http)
        http.caller = caller  # type: ignore[attr-defined]
        if caller.is_anonymous:
            return None
        if caller.user is not None:
            self._check_csrf(request)
        # The framework puts this on Django's request too, where whoever asks about a session looks for a person.
        return (caller.user or caller, None)

    @staticmethod
    def _check_csrf(request: Request) -> None:
        check = CSRFCheck(_no_answer)
        check.process_request(request._request)
        if check.process_view(request._request, None, (), {}):  # type: ignore[arg-type]
            raise NotAllowed("A request from the browser needs the CSRF token of its session.", code="csrf_failed")

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def caller_of(request: Request) -> Caller:
    caller: Caller = request._request.caller  # type: ignore[attr-defined]
    return caller


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names the two ways in."""

    target_class = "console.api.authentication.CallerAuthentication"
    name = ["apiKey", "session"]

    def get_security_definition(self, auto_schema: Any) -> Any:
        return [
            {"type": "http", "scheme": "bearer", "description": "An API key: fk_live_… or fk_test_…"},
            {
                "type": "apiKey",
                "in": "cookie",
                "name": settings.SESSION_COOKIE_NAME,
                "description": "The browser's session.",
            },
        ]
