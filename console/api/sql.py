"""SQL of the JSON face: what is taken and judged, or followed, in one statement, which the ORM cannot say."""

import datetime as dt
import uuid
from typing import Any, NamedTuple

from django.db import connection  # noqa: TID251

# A claim whose request never began (its process died before) is free again after this long.
_GRACE = dt.timedelta(seconds=30)

# Taken over when it is over: expired, or its request ended other than well, or never began. Decided in the same
# statement that takes it, so of two late retries one gets it.
_CLAIM = """
INSERT INTO api_idempotencyclaim AS held (digest, body_sha256, request_id, started_at, expires_at)
VALUES (%(digest)s, %(body)s, %(request)s, clock_timestamp(), clock_timestamp() + %(keep)s)
ON CONFLICT (digest) DO UPDATE
   SET body_sha256 = excluded.body_sha256, request_id = excluded.request_id,
       started_at = excluded.started_at, expires_at = excluded.expires_at
 WHERE held.expires_at <= clock_timestamp()
    OR EXISTS (SELECT FROM audit_event e WHERE e.id = held.request_id AND e.status <> 'ok')
    OR (held.started_at < clock_timestamp() - %(grace)s
        AND NOT EXISTS (SELECT FROM audit_event e WHERE e.id = held.request_id)
        AND NOT EXISTS (SELECT FROM usage_reservation r WHERE r.id = held.request_id))
RETURNING request_id
"""
_HOLDER = """
SELECT held.request_id, held.body_sha256, e.status IS NOT NULL, p.body, coalesce(p.is_cut, false),
       coalesce(e.model, ''), coalesce(e.prompt, ''), coalesce(e.agent, ''), coalesce(e.detail, '')
  FROM api_idempotencyclaim held
  LEFT JOIN audit_event e ON e.id = held.request_id
  LEFT JOIN audit_payload p ON p.event_id = held.request_id AND p.kind = 'output'
 WHERE held.digest = %s
"""

# A response in the background is found under the call that was made for it last. The text of a JSON document cannot
# hold a bare quote, so this finds a name of a member, though of which object it does not know.
_CHAIN = """
WITH RECURSIVE turn (id, previous, place, size) AS (
    SELECT NULL::uuid, %(last)s::uuid, 0, 0::bigint
     UNION ALL
    SELECT turn.previous,
           substring(asked.body FROM '"previous_response_id": ?"resp_([0-9a-f]{32})"')::uuid,
           turn.place + 1,
           turn.size + octet_length(asked.body) + octet_length(said.body)
      FROM turn
      LEFT JOIN api_backgroundresponse background ON background.id = turn.previous
      JOIN audit_payload asked
           ON asked.event_id = coalesce(background.request_id, turn.previous) AND asked.kind = 'input'
      JOIN audit_payload said ON said.event_id = asked.event_id AND said.kind = 'output'
     WHERE turn.place < %(most)s AND turn.size <= %(bytes)s
)
SELECT id FROM turn WHERE place > 0 ORDER BY place
"""


class Holder(NamedTuple):
    """Who holds a claim, and what the log says of the answer, if the request has ended."""

    request: uuid.UUID
    body: bytes
    has_ended: bool
    answer: str | None
    is_cut: bool
    model: str
    prompt: str
    agent: str
    detail: str


def claim(*, digest: bytes, body: bytes, request: uuid.UUID, keep: dt.timedelta) -> Holder | None:
    """Take the claim and return None, or return who holds it."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"digest": digest, "body": body, "request": request, "keep": keep, "grace": _GRACE}
        cursor.execute(_CLAIM, values)
        if cursor.fetchone():
            return None
        cursor.execute(_HOLDER, [digest])
        row = cursor.fetchone()
    if row is None:  # it was pruned between the two statements
        return claim(digest=digest, body=body, request=request, keep=keep)
    first, first_body, *answer = row
    return Holder(first, bytes(first_body), *answer)


def lock_claim(digest: bytes) -> bool:
    """Take the lock of one Idempotency-Key until the transaction ends; False while another request has it.

    The ORM knows no advisory locks, and a row lock would make the second request wait instead of being told.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])
        (is_ours,) = cursor.fetchone()
    return bool(is_ours)


def chain(last: uuid.UUID, *, most: int, bytes: int) -> list[uuid.UUID]:
    """Return the ids of the responses one continued from, itself first: `most` of them, and no more once past `bytes`.

    Found by text, so a guess of what is worth reading together: whether it is so, and whose it is, is not asked here.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CHAIN, {"last": last, "most": most, "bytes": bytes})
        return [id for (id,) in cursor.fetchall()]
