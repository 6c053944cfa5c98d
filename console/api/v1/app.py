"""The ASGI application of /v1/: routes, and the one place where anything unexpected becomes a plain JSON error."""

import logging

import orjson
from django.conf import settings

from console.api.v1.anthropic_face import COUNT, count_tokens
from console.api.v1.batches import batches
from console.api.v1.calls import CHAT, COMPLETION, EMBEDDING, MESSAGE, RESPONSE, call_model
from console.api.v1.files import files
from console.api.v1.message_batches import ROUTE as MESSAGE_BATCHES
from console.api.v1.message_batches import message_batches
from console.api.v1.models import models
from console.api.v1.queues import queues
from console.api.v1.request import ClientGone, MethodNotAllowed, Receive, Request, Scope
from console.api.v1.responses import responses
from console.api.v1.runs import agents
from console.api.v1.sending import Send, error_body, said_to, send_failure, send_json, send_refusal
from console.core.errors import NotFound, ProviderError, Refusal
from console.core.ids import request_id

_CALLS = {route.path: route for route in (CHAT, COMPLETION, EMBEDDING, MESSAGE, RESPONSE)}

log = logging.getLogger(__name__)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    try:
        route = _CALLS.get(request.path)
        if route is not None and request.method == "POST":
            await call_model(request, send, route)
        else:
            await _route(request, send)
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
            status, said = said_to(request, 500, body)
            await send_json(send, request, status, orjson.dumps(said), [])


async def _route(request: Request, send: Send) -> None:
    path = request.path
    if path in _CALLS:
        raise MethodNotAllowed(f"Send a POST to {path}.", headers={"Allow": "POST"})
    if path == COUNT:
        if request.method != "POST":
            raise MethodNotAllowed(f"Send a POST to {COUNT}.", headers={"Allow": "POST"})
        await count_tokens(request, send)
    elif path == MESSAGE_BATCHES or path.startswith(f"{MESSAGE_BATCHES}/"):
        await message_batches(request, send, path.removeprefix(MESSAGE_BATCHES).strip("/").split("/"))
    elif path == "/v1/models" or path.startswith("/v1/models/"):
        if request.method != "GET":
            raise MethodNotAllowed("Send a GET to /v1/models.", headers={"Allow": "GET"})
        name = path.removeprefix("/v1/models").strip("/")
        await models(request, send, "".join(c if c.isprintable() else "\ufffd" for c in name))
    elif path == "/v1/files" or path.startswith("/v1/files/"):
        await files(request, send, path.removeprefix("/v1/files").strip("/").split("/"))
    elif path == "/v1/batches" or path.startswith("/v1/batches/"):
        await batches(request, send, path.removeprefix("/v1/batches").strip("/").split("/"))
    elif path.startswith("/v1/responses/"):
        await responses(request, send, path.removeprefix("/v1/responses/").strip("/").split("/"))
    elif path.startswith("/v1/agents/"):
        await agents(request, send, path.removeprefix("/v1/agents/").strip("/").split("/"))
    elif path.startswith("/v1/queues/"):
        await queues(request, send, path.removeprefix("/v1/queues/").strip("/").split("/"))
    else:
        raise NotFound(f"There is no {path[:100]} here. {_hint(path)}", code="unknown_route")


def _hint(path: str) -> str:
    """Say what most likely went wrong: what a client was given as its base URL, or what it does by default."""
    if not path.startswith("/v1/"):
        return f"Programs call {settings.BASE_URL}/v1/: a client's base URL ends in /v1, Anthropic's clients add it."
    if path.startswith("/v1/v1/"):
        return "Anthropic's clients add /v1 themselves: leave it out of their base_url."
    return f"{settings.BASE_URL}/docs/ lists the routes."
