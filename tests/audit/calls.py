"""Records of the log for tests: calls as the gateway leaves them, with their content."""

import datetime as dt
import json
import uuid
from typing import Any

from django.db import connection

from console.audit.redaction import prepare_payload
from console.audit.sql import append
from console.audit.sql.seal import horizon
from console.core.clock import now
from console.core.ids import uuid7_at
from console.teams.models import ApiKey, Team
from tests.waiting import until


def a_call(
    team: Team | None,
    *,
    at: dt.datetime | None = None,
    key: ApiKey | None = None,
    content: tuple[str, str] | None = None,
    **columns: Any,
) -> uuid.UUID:
    """One closed chat call; `content` is its input and output."""
    at = at or now()
    identifier = uuid.UUID(int=uuid7_at(at).int | (uuid.uuid4().int & ((1 << 62) - 1)))
    row: dict[str, Any] = {
        "id": identifier,
        "at": at,
        "closed_at": at,
        "type": "chat",
        "status": "ok",
        "http_status": 200,
        "team_id": team.pk if team else None,
        "team": team.name if team else "",
        "actor_kind": "key",
        "actor": key.name if key else "nightly",
        "key_id": key.pk if key else None,
        "key": key.shown if key else "",
        "environment": "production",
        "lane": "interactive",
        "surface": "api",
        "route": "/v1/chat/completions",
        "client_address": "192.0.2.7",
        "alias": "support-chat",
        "model": "fake/meridian-2026-07-30",
        "prompt_tokens": 1120,
        "completion_tokens": 386,
        "cost_micros": 7100,
        "latency_us": 1_840_000,
        "first_token_us": 412_000,
        "overhead_us": 900,
    } | columns
    if content:
        for kind, body in zip(("input", "output"), content, strict=True):
            payload = prepare_payload(body)
            row[f"{kind}_sha256"] = payload.stored_sha256
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO audit_payload (event_id, kind, body, bytes, sha256, is_cut, redactions)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    [identifier, kind, payload.body, payload.bytes, payload.sha256, payload.is_cut, payload.redactions],
                )
    append(row)
    return identifier


def a_chat(question: str, answer: str) -> tuple[str, str]:
    """The bodies of one question and its answer."""
    asked = {"model": "support-chat", "messages": [{"role": "user", "content": question}]}
    answered = {"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}}]}
    return json.dumps(asked), json.dumps(answered)


def until_finished() -> None:
    """Wait until everything committed so far is below the horizon; another database's transaction may hold it back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(tx), 0) FROM audit_event")
        newest = cursor.fetchone()[0]
    until(lambda: horizon()[0] > newest, "the horizon is past what was committed", 180)


def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []
