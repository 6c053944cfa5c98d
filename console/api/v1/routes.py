"""The routes of /v1/ besides the calls of models: one table, which also says what methods an address answers to."""

import re
from collections.abc import Awaitable, Callable

from django.conf import settings

from console.api.v1 import batches, files, message_batches, queues, responses, runs
from console.api.v1.models import models
from console.api.v1.request import MethodNotAllowed, Request
from console.api.v1.run_events import follow
from console.api.v1.token_counts import OF_MESSAGES, OF_RESPONSES, count_messages, count_responses
from console.core.errors import NotFound

# Takes the request, how to send, and what the address names.
Handler = Callable[..., Awaitable[None]]

ROUTES: dict[str, dict[str, Handler]] = {
    OF_MESSAGES: {"POST": count_messages},
    "/v1/messages/batches": {"GET": message_batches.list_batches, "POST": message_batches.create},
    "/v1/messages/batches/{id}": {"GET": message_batches.retrieve, "DELETE": message_batches.delete},
    "/v1/messages/batches/{id}/cancel": {"POST": message_batches.cancel},
    "/v1/messages/batches/{id}/results": {"GET": message_batches.results},
    "/v1/models": {"GET": models},
    "/v1/models/{name:path}": {"GET": models},
    "/v1/files": {"GET": files.list_files, "POST": files.upload},
    "/v1/files/{id}": {"GET": files.retrieve, "DELETE": files.delete},
    "/v1/files/{id}/content": {"GET": files.content},
    "/v1/batches": {"GET": batches.list_batches, "POST": batches.create},
    "/v1/batches/{id}": {"GET": batches.retrieve},
    "/v1/batches/{id}/cancel": {"POST": batches.cancel},
    OF_RESPONSES: {"POST": count_responses},
    # OpenAI has this, and no response is called so: there is no such address, whatever the method.
    "/v1/responses/compact": {},
    "/v1/responses/{id}": {"GET": responses.retrieve, "DELETE": responses.delete},
    "/v1/responses/{id}/input_items": {"GET": responses.input_items},
    "/v1/responses/{id}/cancel": {"POST": responses.cancel},
    "/v1/agents/{slug}/runs": {"GET": runs.list_runs, "POST": runs.start},
    "/v1/agents/{slug}/runs/{id}": {"GET": runs.retrieve},
    "/v1/agents/{slug}/runs/{id}/events": {"GET": follow},
    "/v1/agents/{slug}/runs/{id}/cancel": {"POST": runs.cancel},
    "/v1/queues/{name}/items": {"POST": queues.put},
    "/v1/queues/{name}/items/{id}": {"GET": queues.retrieve},
}


def _pattern(route: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{\w+}", "([^/]+)", route.replace("{name:path}", "(.+)")), re.DOTALL)


_BY_PATTERN = [(_pattern(route), by_method) for route, by_method in ROUTES.items()]


def find(request: Request) -> tuple[Handler, tuple[str, ...]]:
    """Return what answers a request, and what its address names; refuse what is not there."""
    path = request.path
    matches = ((pattern.fullmatch(path.rstrip("/")), by_method) for pattern, by_method in _BY_PATTERN)
    named, by_method = next(((named, by_method) for named, by_method in matches if named), (None, {}))
    if named is None or not by_method:
        raise NotFound(f"There is no {path[:100]} here. {_hint(path)}", code="unknown_route")
    if request.method not in by_method:
        allowed = ", ".join(by_method)
        raise MethodNotAllowed(f"{path[:100]} answers to {allowed}.", headers={"Allow": allowed})
    return by_method[request.method], named.groups()


def _hint(path: str) -> str:
    """Say what most likely went wrong: what a client was given as its base URL, or what it does by default."""
    if not path.startswith("/v1/"):
        return f"Programs call {settings.BASE_URL}/v1/: a client's base URL ends in /v1, Anthropic's clients add it."
    if path.startswith("/v1/v1/"):
        return "Anthropic's clients add /v1 themselves: leave it out of their base_url."
    return f"{settings.BASE_URL}/docs/ lists the routes."
