"""The ASGI application of /v1/, and the one place where anything unexpected becomes a plain JSON error."""

import logging

import orjson

from console.api.v1.calls import CHAT, COMPLETION, EMBEDDING, MESSAGE, RESPONSE, call_model
from console.api.v1.request import ClientGone, MethodNotAllowed, Receive, Request, Scope
from console.api.v1.routes import find
from console.api.v1.sending import Send, error_body, said_to, send_failure, send_json, send_refusal
from console.core.errors import ProviderError, Refusal
from console.core.ids import request_id

_CALLS = {route.path: route for route in (CHAT, COMPLETION, EMBEDDING, MESSAGE, RESPONSE)}

log = logging.getLogger(__name__)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    try:
        route = _CALLS.get(request.path)
        if route is not None and request.method == "POST":
            await call_model(request, send, route)
        elif route is not None:
            raise MethodNotAllowed(f"{request.path} answers to POST.", headers={"Allow": "POST"})
        else:
            handler, named = find(request)
            await handler(request, send, *named)
    except Refusal as refusal:
        if not request.is_answered:
            await send_refusal(send, request, refusal)
    except ProviderError as error:
        if not request.is_answered:
            await send_failure(send, request, error)
    except ClientGone:
        pass
    except Exception:
        log.exception("An unexpected error in %s %s, request %s.", request.method, request.path, request_id(request.id))
        if not request.is_answered:
            body = error_body(
                "Something broke on our side; the request id finds it in the log.",
                kind="api_error",
                code="internal_error",
            )
            status, content = said_to(request, 500, body)
            await send_json(send, request, status, orjson.dumps(content), [])
