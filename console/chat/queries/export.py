"""Export a conversation: Markdown with the branch shown, or JSON with all branches."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from console.chat.models import Conversation, Message
from console.chat.queries.attached import files_without
from console.chat.queries.thread import Source, sources_of
from console.chat.requests import path_to
from console.core.ids import request_id

# Messages that are read together, each with as many megabytes of pictures as it may have.
_AT_ONCE = 5


def _rows(conversation: Conversation) -> QuerySet[Message]:
    rows = Message.objects.filter(conversation=conversation).select_related("agent_version__agent")
    return rows.order_by("created_at", "id")


def as_markdown(conversation: Conversation) -> str:
    """Return the branch shown. Words stand as they were written."""
    rows = _rows(conversation).defer("attachments").annotate(files=files_without("text", "data"))
    turns = path_to({row.pk: row for row in rows}, conversation.leaf_id)
    parts = [f"# {conversation}", f"{conversation.agent}, {conversation.created_at:%Y-%m-%d %H:%M} UTC"]
    for turn in turns:
        parts.append(f"## {turn.author_name or turn.get_role_display()}, {turn.created_at:%Y-%m-%d %H:%M} UTC")
        parts += [turn.text] if turn.text else []
        parts += [f"Attached: {file['name']}" for file in turn.files]  # type: ignore[attr-defined]
        if turn.sources:
            parts.append("\n".join(f"[{one.n}] {_named(one)}" for one in sources_of(turn)))
        parts += [f"> {turn.trouble}"] if turn.trouble else []
    return "\n\n".join(parts) + "\n"


def _named(source: Source) -> str:
    return f"{source.document}, version {source.version}" + (f": {source.heading}" if source.heading else "")


def as_json(conversation: Conversation) -> Iterator[bytes]:
    """Yield every branch, some messages at a time: with their pictures they may be more than fits the memory."""
    head = {
        "id": str(conversation.pk),
        "title": conversation.title,
        "team": conversation.team.slug,
        "agent": conversation.agent.slug,
        "created_at": conversation.created_at,
        "shown_until": conversation.leaf_id,
    }
    yield _json(head)[:-2] + b',\n  "messages": ['
    keys = list(_rows(conversation).values_list("pk", flat=True))
    between = b"\n"
    for start in range(0, len(keys), _AT_ONCE):
        for message in _rows(conversation).filter(pk__in=keys[start : start + _AT_ONCE]):
            yield between + _json(_as_json(message))
            between = b",\n"
    yield b"\n  ]\n}\n"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2, cls=DjangoJSONEncoder).encode()


def _as_json(message: Message) -> dict[str, Any]:
    return {
        "id": message.pk,
        "parent": message.parent_id,
        "role": message.role,
        "author": message.author_name,
        "status": message.status,
        "text": message.text,
        "attachments": message.attachments,
        "sources": message.sources,
        "trouble": message.trouble,
        "created_at": message.created_at,
        "agent_version": str(message.agent_version) if message.agent_version else None,
        "model": message.model or None,
        "request": request_id(message.request_id) if message.request_id else None,
        "prompt_tokens": message.prompt_tokens,
        "completion_tokens": message.completion_tokens,
        "cost_micros": message.cost_micros,
    }
