"""Record refused requests of known callers: somebody tried what their role does not allow."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from console.audit import actions
from console.audit.models import Status
from console.audit.services import record
from console.core.errors import Refusal
from console.core.scrub import without_links
from console.teams.callers import Caller

_CODES = {403: "policy_denied", 413: "request_too_large", 429: "rate_limited"}


class RefusedRequestMiddleware:
    """Record 403, 413 and 429 of people and keys, once the answer is made and its transaction is over.

    Strangers' refusals are counted together elsewhere, and 404 is what a mistyped address gets: neither is for here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        caller: Caller | None = getattr(request, "caller", None)
        if response.status_code in _CODES and caller is not None and not caller.is_anonymous:
            record(
                actions.REQUEST_REFUSED,
                actor=caller.actor,
                target_name=without_links(f"{request.method} {request.path}")[:300],
                status=Status.REFUSED,
                http_status=response.status_code,
                code=_CODES[response.status_code],
                reason=getattr(request, "refused_because", ""),
                surface="api" if request.path.startswith("/api/") else "console",
                route=getattr(request.resolver_match, "route", "") or "",
            )
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, PermissionDenied | Refusal):
            request.refused_because = str(exception)  # type: ignore[attr-defined]
