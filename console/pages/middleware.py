"""Give every request an id that finds it in the log."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from console.core.ids import request_id, uuid7


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid7()  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request_id(request.request_id)  # type: ignore[attr-defined]
        return response
