"""Build the request for an answer: the turns before it, and who asks."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agents_app.models import Agent
from agents_app.requests import ask_of
from console.catalog.models import Capability, Pin
from console.chat.files import Attachment, is_picture
from console.chat.models import Conversation, Message
from console.chat.queries.attached import files_without
from console.gateway.asks import own_ask
from console.gateway.identity import PersonIdentity
from console.gateway.refusals import Identify
from console.gateway.types import Ask
from console.teams.models import Environment, User

SURFACE = "chat"
ROUTE = "/chat/"
# Of a conversation, the newest: each is sent again with every later turn.
MOST_PICTURES = 10


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
    end_user: str = ""  # whom a widget's site says it is, as the log keeps it


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


def sees(agent: Agent) -> bool:
    """Return whether the model an assistant answers people with looks at pictures. Needs `live`."""
    return (
        agent.live is not None
        and Pin.objects.filter(
            alias__name=agent.live.alias,
            environment=Environment.PRODUCTION,
            model_version__capabilities__contains=[Capability.VISION],
        ).exists()
    )


def words_of(text: str, files: Iterable[Attachment]) -> str:
    """Return a turn's words with the texts of its files, as the model reads them; of pictures their names."""
    parts = [text] if text else []
    for file in files:
        parts.append(f"Picture {file['name']}." if is_picture(file) else f"File {file['name']}:\n\n{file['text']}")
    return "\n\n".join(parts)


def history_before(answer: Message, agent: Agent) -> list[dict[str, Any]]:
    """Return what was said before an answer, on its own branch. Answers without a word are left out."""
    rows = Message.objects.filter(conversation=answer.conversation_id).only("parent_id", "role", "text")
    # Pictures stay in the database until it is known which are sent: a conversation may have hundreds.
    turns = path_to({row.pk: row for row in rows.annotate(files=files_without("data"))}, answer.parent_id)
    shown = _pictures_of(turns, agent)
    contents = [(turn, words_of(turn.text, turn.files), shown.get(turn.pk)) for turn in turns]  # type: ignore[attr-defined]
    return [
        {
            "role": "user" if turn.role == Message.Role.USER else "assistant",
            "content": [{"type": "text", "text": words}, *pictures] if pictures else words,
        }
        for turn, words, pictures in contents
        if words
    ]


def _pictures_of(turns: Sequence[Any], agent: Agent) -> dict[uuid.UUID, list[dict[str, Any]]]:
    """Return the newest pictures as the model gets them, by turn; none where it does not look at any."""
    counts, left = {}, MOST_PICTURES
    for turn in reversed(turns):
        if count := min(left, sum(map(is_picture, turn.files))):
            counts[turn.pk], left = count, left - count
    if not counts or not sees(agent):
        return {}
    return {
        pk: [
            {"type": "image_url", "image_url": {"url": f"data:{file['media_type']};base64,{file['data']}"}}
            for file in [file for file in files if is_picture(file)][: counts[pk]]
        ]
        for pk, files in Message.objects.filter(pk__in=counts).values_list("pk", "attachments")
    }


def ask_for(answer: Message, speaker: Speaker) -> Ask:
    """Return the ask an answer is made by. Its agent must be live."""
    agent = answer.conversation.agent
    assert agent.live is not None
    agent.live.agent = agent
    body = ask_of(agent.live, history_before(answer, agent), whom=speaker.whom)
    return ask_from(
        body,
        surface=speaker.surface,
        route=speaker.route,
        client_address=speaker.client_address,
        end_user=speaker.end_user,
    )


def ask_from(
    body: dict[str, Any],
    *,
    surface: str = SURFACE,
    route: str = ROUTE,
    client_address: str = "",
    lane: str = "",
    end_user: str = "",
) -> Ask:
    """Return the ask for the body of a chat completion."""
    return own_ask(
        "chat", body, surface=surface, route=route, client_address=client_address, lane=lane, end_user=end_user
    )


def tree_of(rows: Sequence[tuple[uuid.UUID, uuid.UUID | None]]) -> Callable[[uuid.UUID], uuid.UUID]:
    """Return what finds the end of a message's newest branch, given (id, parent), oldest first."""
    newest_child = {parent: one for one, parent in rows if parent is not None}

    def end_of(message_id: uuid.UUID) -> uuid.UUID:
        while message_id in newest_child:
            message_id = newest_child[message_id]
        return message_id

    return end_of
