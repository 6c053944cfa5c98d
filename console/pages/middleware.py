"""Give every request an id that finds it in the log, and answer people in the house's words."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from console.core.errors import Refusal
from console.core.ids import request_id, uuid7
from console.pages.views import errors


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid7()  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request_id(request.request_id)  # type: ignore[attr-defined]
        return response


class PageMiddleware:
    """Keep pages out of caches, and turn refusals that no view caught into a page or a toast.

    The same address answers with a page or, for htmx, with a piece of it: caches must not mix the two up. And a page
    may show a key or an answer, which neither a shared cache nor the browser's disk should keep.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ["HX-Request"])
            response.setdefault("Cache-Control", "no-store")
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, Refusal):
            return errors.refused(request, exception)
        return None
