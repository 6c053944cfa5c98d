"""Idempotency-Key on changes of the management API: the same request sent twice changes something once.

The change, the claim and the answer are one transaction. So a process that dies leaves neither, a second request that
comes while the first runs finds its lock, and one that comes later finds the answer.
"""

import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from django.db import transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from console.api import sql
from console.api.authentication import caller_of
from console.api.idempotency import KEEP, KeyReused, check_key
from console.api.models import ManagementClaim
from console.audit import actions
from console.audit.redaction import redact
from console.audit.services import record
from console.core.clock import now
from console.core.errors import Conflict
from console.core.ids import request_id

REPLAYED = "Idempotent-Replayed"

Post = Callable[..., Response]


def once(post: Post) -> Post:
    """Have a `post` of an Endpoint honour Idempotency-Key. Refusals and failures are not kept: they may be repeated."""

    @functools.wraps(post)
    def claimed(view: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None or view.calls_out:
            return post(view, request, *args, **kwargs)
        digest, body = _digests(request, check_key(key))
        with transaction.atomic():
            if not sql.lock_claim(digest):
                raise Conflict(
                    "The first request with this Idempotency-Key is still running.",
                    param="Idempotency-Key",
                    code="idempotency_in_progress",
                    retry_after=1,
                )
            held = ManagementClaim.objects.filter(digest=digest, expires_at__gt=now()).first()
            if held is not None:
                return _replay(request, held, body)
            response = post(view, request, *args, **kwargs)
            _keep(digest, body, request, response, view.shown_once)
        return response

    return claimed


def _digests(request: Any, key: str) -> tuple[bytes, bytes]:
    """Return the digest of credential, route and key, and that of the canonical body."""
    actor = caller_of(request).actor
    claimed = f"manage\0{actor.kind}\0{actor.id}\0{request.path}\0{key}"
    return (
        hashlib.sha256(claimed.encode()).digest(),
        hashlib.sha256(orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)).digest(),
    )


def _keep(digest: bytes, body: bytes, request: Any, response: Response, shown_once: tuple[str, ...]) -> None:
    """Keep an answer without what is shown once: a lost key is rotated, not read again."""
    said = response.data
    if isinstance(said, Mapping):
        said = {name: None if name in shown_once else value for name, value in said.items()}
    answer = "" if said is None else redact(JSONRenderer().render(said).decode())[0]
    ManagementClaim.objects.update_or_create(
        digest=digest,
        defaults={
            "body_sha256": body,
            "request_id": request._request.request_id,
            "status": response.status_code,
            "answer": answer,
            "expires_at": now() + KEEP,
        },
    )


def _replay(request: Any, held: ManagementClaim, body: bytes) -> Response:
    first = request_id(held.request_id)
    if bytes(held.body_sha256) != body:
        raise KeyReused(
            f"This Idempotency-Key was used with another body, in {first}; use a new key.", param="Idempotency-Key"
        )
    record(
        actions.CALL_REPLAYED,
        actor=caller_of(request).actor,
        target_name=first,
        detail={"request": first},
        surface="api",
        route=request.path,
    )
    answer = orjson.loads(held.answer) if held.answer else None
    headers = {REPLAYED: "true", "Cache-Control": "no-store"}
    return Response(answer, status=held.status, headers=headers)


def prune() -> int:
    """Forget claims older than a day and return how many there were."""
    return ManagementClaim.objects.filter(expires_at__lt=now()).delete()[0]
