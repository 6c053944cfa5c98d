"""What routes for visitors share: no cookies, JSON, and refusals in the visitor's language."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from console.chat.embed.access import known_widget
from console.chat.embed.errors import WrongType
from console.chat.embed.texts import words_for
from console.chat.errors import StillWriting
from console.core import strict_json
from console.core.errors import BadInput, Refusal, TooLarge
from console.teams.access import PUBLIC, needs

LARGEST = 64 * 1024
_View = Callable[..., HttpResponseBase]


def for_visitors(*methods: str) -> Callable[[_View], _View]:
    """Make a view of `(request, public_id, …)` a route of visitors. What it needs is a token, which the view reads."""

    def decorate(view: _View) -> _View:
        @wraps(view)
        def wrapper(request: HttpRequest, public_id: str, **arguments: Any) -> HttpResponseBase:
            try:
                response = view(request, public_id, **arguments)
            except Refusal as refusal:
                response = refused(refusal, public_id)
            response.setdefault("Cache-Control", "no-store")
            return response

        # They hold no cookie, so there is nothing a foreign page could use.
        return csrf_exempt(needs(PUBLIC)(require_http_methods([*methods])(wrapper)))

    return decorate


def refused(refusal: Refusal, public_id: str = "") -> HttpResponse:
    """Return a refusal as JSON: a code for the frame, a sentence for the visitor, and one for who builds the site."""
    widget = known_widget(public_id)
    words = words_for(widget.language if widget else "")
    code = "busy" if isinstance(refusal, StillWriting) else refusal.code
    error: dict[str, Any] = {"code": code, "message": words.get(code, words["failed"]), "detail": refusal.message}
    response = JsonResponse({"error": error}, status=refusal.status)
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    return response


def read_body(request: HttpRequest, *names: str) -> dict[str, Any]:
    """Return the members of a JSON body; none but these may be there, so nobody believes they could choose more."""
    if request.content_type != "application/json":
        raise WrongType
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST or len(body := request.body) > LARGEST:
        raise TooLarge(f"A body may have {LARGEST:,} bytes.")
    value = strict_json.loads(body)[0] if body else {}
    if not isinstance(value, dict):
        raise BadInput("The body must be a JSON object.")
    for name in value:
        if name not in names:
            raise BadInput(f"Unknown: {name[:60]!r}. The widget decides everything else.", param=name[:60])
    return value
