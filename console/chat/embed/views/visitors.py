"""Create a visitor: the one route that other sites call directly."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from console.chat.embed import tokens
from console.chat.embed.access import known_widget
from console.chat.embed.errors import IdentityNeeded, IdentityRefused, WidgetOff
from console.chat.embed.origins import is_allowed
from console.chat.embed.signed_identity import shown_name, vouched
from console.chat.embed.tokens import Pass
from console.chat.embed.views.face import for_visitors, read_body, refused
from console.chat.models import Widget
from console.core.errors import BadInput, Refusal


@for_visitors("POST", "OPTIONS")
def visitor(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Give a visitor a token, or a new one for the one they have. The browser's Origin says for which site."""
    widget, origin = known_widget(public_id), request.headers.get("Origin", "")
    if widget is None or not is_allowed(origin, widget.origins):
        response = refused(WidgetOff())
    elif request.method == "OPTIONS":
        response = HttpResponse(status=204)
        response["Access-Control-Allow-Methods"] = "POST"
        response["Access-Control-Allow-Headers"] = "content-type"
        response["Access-Control-Max-Age"] = "600"
    else:
        try:
            response = JsonResponse({"token": _token(request, widget, origin), "seconds": tokens.SECONDS})
        except Refusal as refusal:
            response = refused(refusal, public_id)
    if widget is not None and is_allowed(origin, widget.origins):
        response["Access-Control-Allow-Origin"] = origin
    response["Vary"] = "Origin"
    return response


def _token(request: HttpRequest, widget: Widget, origin: str) -> str:
    body = read_body(request, "token", "identity")
    if not widget.is_enabled:
        raise WidgetOff
    identity, name = _identity(widget, body.get("identity"))
    before = None if identity else _before(widget, origin, body.get("token"))
    if widget.needs_identity and not identity:
        raise IdentityNeeded
    return tokens.mint(widget=widget, origin=origin, identity=identity, name=name, before=before)


def _identity(widget: Widget, said: Any) -> tuple[str, str]:
    if said is None:
        return "", ""
    if not isinstance(said, dict):
        raise IdentityRefused("identify() takes an object with id, signature and, if you like, name.")
    identity = vouched(widget, said.get("id"), said.get("signature"), said.get("expires"))
    return identity, shown_name(said.get("name"))


def _before(widget: Widget, origin: str, token: Any) -> Pass | None:
    """Return whom an earlier token names, if it is from this site and not too old; whoever else comes is new.

    Whom a site vouches for it names again for each token: otherwise a token that got lost would speak for a customer
    for good, long after the site closed their account.
    """
    if token is None:
        return None
    if not isinstance(token, str):
        raise BadInput("token must be a text.", param="token")
    held = tokens.read(token, widget=widget, seconds=tokens.RETURN_SECONDS)
    return held if held is not None and held.origin == origin and not held.identity else None
