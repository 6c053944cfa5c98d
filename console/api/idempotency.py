"""Idempotency-Key: the same request sent twice is answered once.

A claim holds only who sent the first request and what its body was. The answer is not stored a second time: it is read
from the audit log, where it was written in the same commit that closed the call, and where redaction, retention and
rights already apply. A claim whose request failed, was refused or died is free again, so that a retry can succeed.
"""

import asyncio
import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import InterfaceError, OperationalError, connections

from console.api import sql
from console.api.models import ForgottenResponse, IdempotencyClaim
from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.core.errors import BadInput, Conflict, Refusal, Unavailable
from console.core.ids import request_id
from console.teams.actors import Actor
from console.teams.models import ApiKey
from console.teams.shapes import KeyShape

KEEP = dt.timedelta(hours=24)
_LONGEST = 255


class KeyReused(Refusal):
    status, code = 422, "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Replay:
    """The first request's answer, as the log keeps it."""

    request: uuid.UUID
    answer: dict[str, Any]
    model: str  # the version that gave it
    prompt: str
    agent: str
    notes: dict[str, Any]  # its line's detail


def check_key(key: str) -> str:
    if not key or len(key) > _LONGEST or not key.isascii() or not key.isprintable():
        raise BadInput(f"Idempotency-Key must be 1 to {_LONGEST} printable ASCII characters.", param="Idempotency-Key")
    return key


async def claim(
    *, credential: KeyShape, route: str, key: str, body: dict[str, Any], request: uuid.UUID, client_address: str
) -> Replay | None:
    """Take the key for this request, or return the first one's answer; raises KeyReused, or Conflict while it runs.

    One credential are all that were rotated into each other: who rotates between two attempts does not pay twice.
    """
    digest = hashlib.sha256(f"{credential.first_key}\0{route}\0{key}".encode()).digest()
    body_digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()
    return await asyncio.to_thread(_claim, digest, body_digest, request, credential.id, client_address)


def _claim(digest: bytes, body: bytes, request: uuid.UUID, credential: uuid.UUID, client_address: str) -> Replay | None:
    try:
        row = sql.claim(digest=digest, body=body, request=request, keep=KEEP)
        if row is None:
            return None
        first = row.request
        if row.body != body:
            raise KeyReused(
                f"This Idempotency-Key was used with another body, in {request_id(first)}; use a new key.",
                param="Idempotency-Key",
            )
        if not row.has_ended:
            raise Conflict(
                f"The first request with this Idempotency-Key, {request_id(first)}, is still running.",
                param="Idempotency-Key",
                code="idempotency_in_progress",
                retry_after=2,
            )
        if row.answer is None or row.is_cut:
            raise Conflict(
                f"The answer of {request_id(first)} is not kept whole, so it cannot be sent again; use a new key.",
                param="Idempotency-Key",
                code="idempotency_answer_gone",
                headers={"x-should-retry": "false"},
            )
        if ForgottenResponse.objects.filter(pk=first).exists():
            raise Conflict(
                f"The response of {request_id(first)} was deleted, so it is not sent again; use a new key.",
                param="Idempotency-Key",
                code="idempotency_answer_gone",
                headers={"x-should-retry": "false"},
            )
        _record_replay(credential, first, client_address)
        took_part = orjson.loads(row.prompt or "[]")
        return Replay(
            first,
            orjson.loads(row.answer),
            model=row.model,
            prompt=f"{took_part[0]['slug']}@{took_part[0]['number']}" if took_part else "",
            agent=row.agent,
            notes=orjson.loads(row.detail or "{}"),
        )
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("The console cannot look the Idempotency-Key up right now.", retry_after=2) from error
    finally:
        connections.close_all()


def _record_replay(credential: uuid.UUID, first: uuid.UUID, client_address: str) -> None:
    key = ApiKey.objects.select_related("team").get(pk=credential)
    actor = Actor(kind="key", id=key.pk, name=f"{key.name} {key.shown}", client_address=client_address)
    record(
        actions.CALL_REPLAYED,
        actor=actor,
        target=key,
        team=key.team,
        detail={"request": request_id(first)},
        surface="api",
    )


def prune() -> int:
    """Forget claims older than a day and return how many there were."""
    return IdempotencyClaim.objects.filter(expires_at__lt=now()).delete()[0]
