"""Idempotency-Key on /v1/files and /v1/batches: what is sent twice is made once."""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from django.db import transaction

from console.api import claims
from console.api.idempotency import check_key
from console.api.v1.http import Headers
from console.api.v1.rows import Asked
from console.core.ids import request_id


class Made(NamedTuple):
    """What is answered, and the headers that say whether it is the answer to an earlier request."""

    body: bytes
    headers: Headers


def digest(value: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).digest()


def once(asked: Asked, body: Callable[[], bytes], make: Callable[[], dict[str, Any]]) -> Made:
    """Make something and return its shape, or what the first request with the same key was answered.

    `body` returns the digest of what was sent, and is asked only where there is a key. Blocks: for a thread.
    """
    key = asked.request.idempotency_key
    if key is None:
        return Made(orjson.dumps(make()), [])
    actor, route = asked.caller.actor, asked.ask.route
    claimed, sent = claims.digest_of("v1", actor, route, check_key(key)), body()
    with transaction.atomic():
        held = claims.held(claimed, sent, actor=actor, route=route)
        if held is not None:
            replay: Headers = [
                (b"x-facet-idempotent-replay", b"true"),
                (b"x-facet-original-request-id", request_id(held.request_id).encode()),
            ]
            return Made(held.answer.encode(), replay)
        answer = orjson.dumps(make())
        claims.keep(claimed, sent, request=asked.request.id, status=200, answer=answer.decode())
    return Made(answer, [])
