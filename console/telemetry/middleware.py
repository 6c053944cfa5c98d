"""Answer scrapes before host names, sessions and people are looked at.

Prometheus asks each process by its own address, which no list of hosts can name, and sends a token and no cookie.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from console.telemetry import views

PATH = "/metrics"


class MetricsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info != PATH:
            return self.get_response(request)
        response = views.metrics.__wrapped__(request)  # type: ignore[attr-defined]
        response._has_been_logged = True  # a 503 here is an answer, not an error
        response["X-Content-Type-Options"] = "nosniff"
        return response  # type: ignore[no-any-return]
