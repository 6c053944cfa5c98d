"""Claims of Idempotency-Keys on requests that change rows: the change, the claim and the answer are one transaction.

So a process that dies leaves neither, a second request that comes while the first runs finds its lock, and one that
comes later finds the answer.
"""

import hashlib
import uuid

from console.api import sql
from console.api.idempotency import KEEP, KeyReused
from console.api.models import ManagementClaim
from console.audit import actions
from console.audit.redaction import redact
from console.audit.services import record
from console.core.clock import now
from console.core.errors import Conflict
from console.core.ids import request_id
from console.teams.callers import Actor, Caller


def digest_of(face: str, caller: Caller, route: str, key: str) -> bytes:
    """Return the digest of credential, route and key. Keys that were rotated into each other are one credential."""
    credential = caller.first_key or caller.actor.id
    return hashlib.sha256(f"{face}\0{caller.actor.kind}\0{credential}\0{route}\0{key}".encode()).digest()


def earlier_claim(digest: bytes, body: bytes, *, actor: Actor, route: str) -> ManagementClaim | None:
    """Return the first request's claim, recorded as replayed, or None with its lock until the transaction ends."""
    if not sql.lock_claim(digest):
        raise Conflict(
            "The first request with this Idempotency-Key is still running.",
            param="Idempotency-Key",
            code="idempotency_in_progress",
            retry_after=1,
        )
    claim = ManagementClaim.objects.filter(digest=digest, expires_at__gt=now()).first()
    if claim is None:
        return None
    first = request_id(claim.request_id)
    if bytes(claim.body_sha256) != body:
        raise KeyReused(
            f"This Idempotency-Key was used with another body, in {first}; use a new key.", param="Idempotency-Key"
        )
    record(
        actions.CALL_REPLAYED,
        actor=actor,
        target_name=first,
        detail={"request": first},
        surface="api",
        route=route,
    )
    return claim


def keep(digest: bytes, body: bytes, *, request: uuid.UUID, status: int, answer: str) -> None:
    """Keep what was answered, redacted as the log is."""
    ManagementClaim.objects.update_or_create(
        digest=digest,
        defaults={
            "body_sha256": body,
            "request_id": request,
            "status": status,
            "answer": redact(answer)[0] if answer else "",
            "expires_at": now() + KEEP,
        },
    )


def prune() -> int:
    """Forget claims older than a day and return how many there were."""
    return ManagementClaim.objects.filter(expires_at__lt=now()).delete()[0]
