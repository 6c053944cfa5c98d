"""From a conversation to what the pipeline takes: the turns before an answer, and who asks for it."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents_app.asking import ask_of
from console.chat.models import Conversation, Message
from console.gateway.asks import own_ask
from console.gateway.identity import PersonIdentity
from console.gateway.refusing import Identify
from console.gateway.types import Ask
from console.teams.models import Environment, User

SURFACE = "chat"
ROUTE = "/chat/"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whoever asks in a conversation: how the pipeline knows them, and as whom they stand beside what they wrote."""

    identify: Identify
    name: str
    user: User | None = None
    surface: str = SURFACE
    client_address: str = ""
    whom: str = ""  # tells speakers apart for a canary's share
    route: str = ROUTE


def person(conversation: Conversation, user: User, client_address: str = "") -> Speaker:
    """Return the owner of a conversation as its speaker."""
    identify = PersonIdentity(user.pk, conversation.team_id, Environment.PRODUCTION)
    return Speaker(identify, str(user), user, SURFACE, client_address, str(user.pk))


def path_to(messages: dict[uuid.UUID, Message], last: uuid.UUID | None) -> list[Message]:
    """Return the turns from the first to `last`, oldest first."""
    found: list[Message] = []
    while last is not None and last in messages:
        found.append(messages[last])
        last = found[-1].parent_id
    return found[::-1]


def content_of(message: Message) -> str:
    """Return a turn's words with the texts of its files, as the model reads them."""
    parts = [message.text] if message.text else []
    for file in message.attachments:
        parts.append(f"File {file['name']}:\n\n{file['text']}")
    return "\n\n".join(parts)


def history_before(answer: Message) -> list[dict[str, Any]]:
    """Return what was said before an answer, on its own branch. Answers without a word are left out."""
    rows = Message.objects.filter(conversation=answer.conversation_id).only("parent_id", "role", "text", "attachments")
    turns = path_to({row.pk: row for row in rows}, answer.parent_id)
    said = [(turn.role, content_of(turn)) for turn in turns]
    return [
        {"role": "user" if role == Message.Role.USER else "assistant", "content": words}
        for role, words in said
        if words
    ]


def ask_for(answer: Message, speaker: Speaker) -> Ask:
    """Return the ask an answer is made by. Its agent must be live."""
    agent = answer.conversation.agent
    assert agent.live is not None
    agent.live.agent = agent
    body = ask_of(agent.live, history_before(answer), whom=speaker.whom)
    return ask_from(body, surface=speaker.surface, route=speaker.route, client_address=speaker.client_address)


def ask_from(
    body: dict[str, Any],
    *,
    surface: str = SURFACE,
    route: str = ROUTE,
    client_address: str = "",
    lane: str = "",
) -> Ask:
    """Return the ask for the body of a chat completion."""
    return own_ask("chat", body, surface=surface, route=route, client_address=client_address, lane=lane)


def tree_of(rows: Sequence[tuple[uuid.UUID, uuid.UUID | None]]) -> Callable[[uuid.UUID], uuid.UUID]:
    """Return what finds the end of a message's newest branch, given (id, parent), oldest first."""
    newest_child = {parent: one for one, parent in rows if parent is not None}

    def end_of(message_id: uuid.UUID) -> uuid.UUID:
        while message_id in newest_child:
            message_id = newest_child[message_id]
        return message_id

    return end_of
