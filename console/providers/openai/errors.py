"""Read a provider's error in any of the formats that claim to be OpenAI's."""

from typing import Any

import orjson

from console.providers.failures import ErrorBody

_CODES = frozenset({"context_length_exceeded", "content_filter"})
# Clients shorten the conversation when they see the code; llama.cpp and vLLM say the same in words of their own.
_TOO_LONG = ("maximum context length", "exceeds the available context size")


def said_in(raw: bytes) -> ErrorBody:
    """Return the sentence, the code and the field at fault, as far as they can be read.

    OpenAI says `{"error": {…}}`, Gemini the same in a list, others `{"error": "…"}`, `{"message": "…"}` or, as FastAPI
    does, `{"detail": …}`.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ErrorBody()
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, dict):
        return ErrorBody()
    error = value.get("error", value)
    error = error if isinstance(error, dict) else {"message": error}
    message = _sentence(error.get("message") or error.get("detail"))
    code, param = error.get("code"), error.get("param")
    if any(words in message for words in _TOO_LONG):
        code = "context_length_exceeded"
    return ErrorBody(
        message, code if isinstance(code, str) and code in _CODES else "", param if isinstance(param, str) else ""
    )


def _sentence(detail: Any) -> str:
    """Return what is said as item text; of FastAPI's list each place with what is wrong there."""
    if isinstance(detail, str):
        return detail
    if isinstance(detail, dict):
        inner = detail.get("detail") or detail.get("message")
        return "" if isinstance(inner, dict) else _sentence(inner)
    places = [item for item in detail if isinstance(item, dict)] if isinstance(detail, list) else []
    return "; ".join(f"{_place(place.get('loc'))}: {place.get('msg')}".strip(": ") for place in places)


def _place(loc: Any) -> str:
    return ".".join(map(str, loc)) if isinstance(loc, list) else ""
