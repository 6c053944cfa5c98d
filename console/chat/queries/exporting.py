"""A conversation as a file: Markdown for people, the branch shown; JSON for programs, with every branch."""

from typing import Any

from console.chat.asking import path_to
from console.chat.models import Conversation, Message
from console.chat.queries.thread import Source, sources_of
from console.core.ids import request_id


def _rows(conversation: Conversation) -> list[Message]:
    rows = Message.objects.filter(conversation=conversation).select_related("agent_version__agent")
    return list(rows.order_by("created_at", "id"))


def as_markdown(conversation: Conversation) -> str:
    """Return the branch shown. Words stand as they were written."""
    turns = path_to({row.pk: row for row in _rows(conversation)}, conversation.leaf_id)
    parts = [f"# {conversation}", f"{conversation.agent}, {conversation.created_at:%Y-%m-%d %H:%M} UTC"]
    for turn in turns:
        parts.append(f"## {turn.author_name or turn.get_role_display()}, {turn.created_at:%Y-%m-%d %H:%M} UTC")
        parts += [turn.text] if turn.text else []
        parts += [f"Attached: {file['name']}" for file in turn.attachments]
        if turn.sources:
            parts.append("\n".join(f"[{one.n}] {_named(one)}" for one in sources_of(turn)))
        parts += [f"> {turn.trouble}"] if turn.trouble else []
    return "\n\n".join(parts) + "\n"


def _named(source: Source) -> str:
    return f"{source.document}, version {source.version}" + (f": {source.heading}" if source.heading else "")


def as_json(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "team": conversation.team.slug,
        "agent": conversation.agent.slug,
        "created_at": conversation.created_at,
        "shown_until": conversation.leaf_id,
        "messages": [_as_json(row) for row in _rows(conversation)],
    }


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
