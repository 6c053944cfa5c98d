"""Idempotency-Key on /v1/files, /v1/batches and background responses: a request sent twice creates one object."""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from django.db import transaction

from console.api import claims
from console.api.idempotency import check_key
from console.api.v1.request import Headers
from console.api.v1.rows import Asked
from console.core.ids import request_id


class Made(NamedTuple):
    """What is answered, and the headers that return whether it is the answer to an earlier request."""

    body: bytes
    headers: Headers


def digest(value: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).digest()


def once(asked: Asked, body: Callable[[], bytes], make: Callable[[], dict[str, Any]]) -> Made:
    """Make something and return its shape, or what the first request with the same key was answered.

    `body` returns the digest of what was sent, and is asked only where there is a key. Blocks: for a thread.
    """
    if asked.request.idempotency_key is None:
        return Made(orjson.dumps(make()), [])
    with transaction.atomic():
        claimed, sent = _claim(asked), body()
        if (made := _held(asked, claimed, sent)) is not None:
            return made
        answer = orjson.dumps(make())
        claims.keep(claimed, sent, request=asked.request.id, status=200, answer=answer.decode())
    return Made(answer, [])


@transaction.atomic
def earlier(asked: Asked, body: Callable[[], bytes]) -> Made | None:
    """Return what the first request with the same key was answered, None where there was none; makes nothing.

    For what is looked into at length before it is made: that must not refuse who only asks what became of it.
    """
    return _held(asked, _claim(asked), body()) if asked.request.idempotency_key is not None else None


def _claim(asked: Asked) -> bytes:
    return claims.digest_of("v1", asked.caller, asked.ask.route, check_key(asked.request.idempotency_key or ""))


def _held(asked: Asked, claimed: bytes, sent: bytes) -> Made | None:
    held = claims.held(claimed, sent, actor=asked.caller.actor, route=asked.ask.route)
    if held is None:
        return None
    replay: Headers = [
        (b"x-facet-idempotent-replay", b"true"),
        (b"x-facet-original-request-id", request_id(held.request_id).encode()),
    ]
    return Made(held.answer.encode(), replay)
