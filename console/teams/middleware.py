"""Put the Caller of the session on the request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from console.teams.access import rights_of
from console.teams.callers import ANONYMOUS, Actor, Caller


class CallerMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.caller = self._caller(request)  # type: ignore[attr-defined]
        return self.get_response(request)

    @staticmethod
    def _caller(request: HttpRequest) -> Caller:
        user = request.user
        if not user.is_authenticated or not user.is_active:
            return ANONYMOUS
        actor = Actor(
            kind="user",
            id=user.pk,
            name=str(user),
            client_address=request.META.get("REMOTE_ADDR", ""),
            request_id=getattr(request, "request_id", None),
        )
        rights = {} if user.is_operator else rights_of(user)
        return Caller(actor=actor, is_operator=user.is_operator, user=user, rights=rights)
