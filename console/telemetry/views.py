"""The metrics, for Prometheus and whatever reads its format."""

import gzip
import logging

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from console.core.errors import Refusal
from console.teams.access import PUBLIC, needs
from console.telemetry import access
from console.telemetry.metrics import text

log = logging.getLogger(__name__)

_PLAIN = "text/plain; charset=utf-8"


@needs(PUBLIC)
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the figures the token may see. MetricsMiddleware brings requests here."""
    try:
        body, content_type = text.for_teams(access.teams_shown_to(request), request.headers.get("accept", ""))
    except Refusal as refusal:
        if refusal.status == 403:  # a token we know; who set the scraping up looks here for why there are no figures
            log.warning("/metrics was refused to %s: %s", getattr(request, "client_address", ""), refusal.message)
        return _refused(refusal.message, refusal.status, refusal.headers)
    except DatabaseError:
        return _refused("The figures cannot be read right now.", 503, {"Retry-After": "5"})
    response = HttpResponse(body, content_type=content_type, headers={"Cache-Control": "no-store"})
    patch_vary_headers(response, ("Accept", "Accept-Encoding", "Authorization"))
    if "gzip" in request.headers.get("accept-encoding", ""):
        response.content = gzip.compress(body, 1)
        response["Content-Encoding"] = "gzip"
    return response


def _refused(message: str, status: int, headers: dict[str, str]) -> HttpResponse:
    if status == 401:
        headers = {**headers, "WWW-Authenticate": 'Bearer realm="metrics"'}
    return HttpResponse(f"{message}\n", status=status, content_type=_PLAIN, headers=headers)
