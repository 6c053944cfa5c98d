"""One error shape for everything under /api/: `{"error": {"message", "type", "param", "code", "request_id"}}`."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response

from console.core.errors import ProviderError, Refusal
from console.core.ids import request_id
from console.core.outage import database_away, is_database_away
from console.core.races import lost

log = logging.getLogger(__name__)


def _first(detail: Any, path: str = "") -> tuple[str, str]:
    """Return the path, as `content.1.role`, and the sentence of the first complaint of a serializer."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            return _first(inner, f"{path}.{name}" if path else str(name))
    if isinstance(detail, list) and detail:
        # Of a list of objects each has a place, those without a complaint an empty one.
        at = next((at for at, inner in enumerate(detail) if inner), 0)
        return _first(detail[at], f"{path}.{at}" if isinstance(detail[at], dict) else path)
    return path.removesuffix(".non_field_errors").removeprefix("non_field_errors"), str(detail)


def _naming(param: str, sentence: str) -> str:
    """Return the sentence with the field's name in it: a log shows it alone. The framework's say only *this field*."""
    if not param or param.rpartition(".")[2] in sentence:
        return sentence
    for this in ("This field", "this field"):
        if this in sentence:
            return sentence.replace(this, f"'{param}'", 1)
    return f"'{param}': {sentence}"


def _plain(detail: Any) -> Any:
    if isinstance(detail, dict):
        return {str(k): _plain(v) for k, v in detail.items()}
    if isinstance(detail, list):
        return [_plain(v) for v in detail]
    return str(detail)


def body(message: str, *, kind: str, code: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """Answer any exception of a view. Unexpected ones are logged and told apart by nothing but their request id."""
    request = context["request"]._request
    if is_database_away(error):
        error = database_away()
    error = lost(error) or error
    headers: dict[str, str] = {}
    if isinstance(error, Refusal | ProviderError):
        if isinstance(error, Refusal):
            request.refused_because, headers, kind = error.message, dict(error.headers), error.type
        else:
            kind = "invalid_request_error" if error.status < 500 else "api_error"
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
        status, content = error.status, body(error.message, kind=kind, code=error.code, param=error.param)
    elif isinstance(error, Http404):
        message = str(error) or "There is no such thing."
        status, content = 404, body(message, kind="invalid_request_error", code="not_found")
    elif isinstance(error, PermissionDenied):
        request.refused_because = str(error)
        message = str(error) or "Your role does not allow that."
        status, content = 403, body(message, kind="permission_error", code="policy_denied")
    elif isinstance(error, drf.ValidationError):
        param, sentence = _first(error.detail)
        message = _naming(param, sentence)
        status, content = 400, body(message, kind="invalid_request_error", code="invalid_request", param=param or None)
        content["error"]["details"] = _plain(error.detail)
    elif isinstance(error, drf.APIException):
        status = error.status_code
        content = body(str(error.detail), kind="invalid_request_error", code=str(error.get_codes()))
        if isinstance(error, drf.MethodNotAllowed):
            headers["Allow"] = ", ".join(context["view"].allowed_methods)
    else:
        log.error("An unexpected error in %s %s.", request.method, request.path, exc_info=error)
        status, content = 500, body("Something broke on our side.", kind="api_error", code="internal_error")
    if hasattr(request, "request_id"):
        content["error"]["request_id"] = request_id(request.request_id)
    return Response(content, status=status, headers=headers)
