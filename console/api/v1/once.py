"""Idempotency-Key on /v1/files, /v1/batches and background responses: a request sent twice creates one object."""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from django.db import transaction

from console.api import claims
from console.api.idempotency import check_key
from console.api.v1.request import Headers
from console.api.v1.rows import Client
from console.core.ids import request_id


class Answer(NamedTuple):
    """What is answered, and the headers that return whether it is the answer to an earlier request."""

    body: bytes
    headers: Headers


def digest(value: Any) -> bytes:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).digest()


def once(client: Client, body: Callable[[], bytes], make: Callable[[], dict[str, Any]]) -> Answer:
    """Make something and return its shape, or what the first request with the same key was answered.

    `body` returns the digest of what was sent, and is asked only where there is a key. Blocks: for a thread.
    """
    if client.request.idempotency_key is None:
        return Answer(orjson.dumps(make()), [])
    with transaction.atomic():
        claimed, sent = _claim(client), body()
        if (replay := _replay(client, claimed, sent)) is not None:
            return replay
        answer = orjson.dumps(make())
        claims.keep(claimed, sent, request=client.request.id, status=200, answer=answer.decode())
    return Answer(answer, [])


@transaction.atomic
def earlier(client: Client, body: Callable[[], bytes]) -> Answer | None:
    """Return what the first request with the same key was answered, None where there was none; makes nothing.

    For what is looked into at length before it is made: that must not refuse who only asks what became of it.
    """
    return _replay(client, _claim(client), body()) if client.request.idempotency_key is not None else None


def _claim(client: Client) -> bytes:
    return claims.digest_of("v1", client.caller, client.ask.route, check_key(client.request.idempotency_key or ""))


def _replay(client: Client, claimed: bytes, sent: bytes) -> Answer | None:
    claim = claims.earlier_claim(claimed, sent, actor=client.caller.actor, route=client.ask.route)
    if claim is None:
        return None
    replay: Headers = [
        (b"x-facet-idempotent-replay", b"true"),
        (b"x-facet-original-request-id", request_id(claim.request_id).encode()),
    ]
    return Answer(claim.answer.encode(), replay)
