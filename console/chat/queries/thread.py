"""The branch of a conversation that is shown: its newest turns, and older ones a page at a time."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from console.chat import error_text
from console.chat.files import Attachment
from console.chat.markdown import render
from console.chat.models import Conversation, Feedback, Message
from console.chat.queries.attached import files_without
from console.core.clock import now
from console.knowledge.access import visible_collections
from console.knowledge.chunking import JOINT
from console.knowledge.models import Document
from console.teams.models import User

PAGE = 30


@dataclass(frozen=True, slots=True)
class File:
    """A file of a message, without what is in it."""

    name: str
    size: int
    media_type: str

    @property
    def is_picture(self) -> bool:
        return self.media_type.startswith("image/")


def part_of(document: str, heading: str) -> str:
    """Return the last of the headings a passage stands under; nothing where it only says the document's name again."""
    part = heading.rpartition(JOINT)[2]
    return "" if part == document else part


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a document an answer was given. `url` is empty for those who cannot read it there, or not any more."""

    n: int
    document: str
    version: int
    collection: str
    heading: str
    url: str = ""

    @property
    def part(self) -> str:
        return part_of(self.document, self.heading)


def sources_of(message: Message, readable: Collection[str] = ()) -> list[Source]:
    """Return the sources of an answer, with addresses where their documents (by id) are readable."""
    return [
        Source(
            source["n"],
            source["document"],
            source["version"],
            source["collection"],
            source["heading"],
            _url(source, readable),
        )
        for source in message.sources
    ]


def _url(one: dict[str, Any], readable: Collection[str]) -> str:
    return (
        reverse("knowledge:version", args=[one["document_id"], one["version"]])
        if one["document_id"] in readable
        else ""
    )


def _readable(conversation: Conversation, messages: Iterable[Message]) -> frozenset[str]:
    """Return which documents of these answers the team of the conversation can open, whose members read it."""
    named = {source["document_id"] for message in messages for source in message.sources}
    if not named:
        return frozenset()
    seen = visible_collections(conversation.team_id)
    there = Document.objects.filter(pk__in=named, deleted_at=None, collection__in=seen)
    return frozenset(map(str, there.values_list("pk", flat=True)))


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as it stands on the page. `siblings` are the ids of the turns in its place, on all branches."""

    message: Message
    siblings: tuple[uuid.UUID, ...] = ()
    feedback: Feedback | None = None
    files: tuple[File, ...] = ()
    readable: frozenset[str] = frozenset()  # ids of documents that can be opened

    @property
    def is_question(self) -> bool:
        return self.message.role == Message.Role.USER

    @property
    def is_writing(self) -> bool:
        return self.message.status == Message.Status.WRITING and not self.is_lost

    @property
    def is_lost(self) -> bool:
        """Nobody writes it any more, and no sweep has come by."""
        until = self.message.lease_until
        return self.message.status == Message.Status.WRITING and until is not None and until < now()

    @property
    def trouble(self) -> str:
        return error_text.INTERRUPTED if self.is_lost else self.message.trouble

    @property
    def is_refused(self) -> bool:
        return self.message.status == Message.Status.REFUSED

    @property
    def can_rate(self) -> bool:
        return bool(self.message.text) and not self.is_question and not self.is_writing

    @property
    def html(self) -> SafeString:
        return mark_safe(render(self.message.text))  # noqa: S308 (sanitised as its last step)

    @property
    def sources(self) -> list[Source]:
        return sources_of(self.message, self.readable)

    @property
    def tokens(self) -> int:
        return self.message.prompt_tokens + self.message.completion_tokens

    @property
    def place(self) -> int:
        return self.siblings.index(self.message.pk) + 1 if self.siblings else 1

    @property
    def before(self) -> uuid.UUID | None:
        return self.siblings[self.place - 2] if self.place > 1 else None

    @property
    def after(self) -> uuid.UUID | None:
        return self.siblings[self.place] if self.place < len(self.siblings) else None


@dataclass(frozen=True, slots=True)
class Thread:
    """Turns, oldest first. `older` is the first one shown when there are more above it."""

    conversation: Conversation
    turns: list[Turn]
    older: uuid.UUID | None
    count: int

    @property
    def is_writing(self) -> bool:
        return any(turn.is_writing for turn in self.turns)


def thread(conversation: Conversation, reader: User | None, *, before: uuid.UUID | None = None) -> Thread:
    """Return the end of the branch shown, or the turns before `before`. Long ones cost ids only."""
    parents, children = _tree(conversation)
    path: list[uuid.UUID] = []
    last = conversation.leaf_id
    while last is not None and last in parents:
        path.append(last)
        last = parents[last]
    path.reverse()
    end = path.index(before) if before in path else len(path)
    begin = max(0, end - PAGE)
    shown = path[begin:end]
    messages = Message.objects.select_related("agent_version", "author").defer("attachments")
    rows: dict[uuid.UUID, Any] = messages.annotate(files=files_without("text", "data")).in_bulk(shown)
    given = {one.message_id: one for one in Feedback.objects.filter(message__in=shown, person=reader)} if reader else {}
    readable = _readable(conversation, rows.values())
    turns = [
        Turn(rows[one], tuple(children[parents[one]]), given.get(one), _files(rows[one].files), readable)
        for one in shown
        if one in rows
    ]
    for turn in turns:
        turn.message.conversation = conversation
        if turn.message.agent_version is not None:
            turn.message.agent_version.agent = conversation.agent
    return Thread(conversation, turns, shown[0] if begin and shown else None, len(path))


def turn(message: Message, reader: User | None) -> Turn:
    """Return one message as it stands on the page."""
    _, children = _tree(message.conversation)
    given = Feedback.objects.filter(message=message, person=reader).first() if reader else None
    return Turn(
        message,
        tuple(children[message.parent_id]),
        given,
        _files(message.attachments),
        _readable(message.conversation, [message]),
    )


def _files(files: Iterable[Attachment]) -> tuple[File, ...]:
    return tuple(File(file["name"], file["bytes"], file["media_type"]) for file in files)


def _tree(conversation: Conversation) -> tuple[dict[uuid.UUID, Any], dict[Any, list[uuid.UUID]]]:
    rows = Message.objects.filter(conversation=conversation).order_by("created_at", "id").values_list("pk", "parent_id")
    parents: dict[uuid.UUID, Any] = {}
    children: dict[Any, list[uuid.UUID]] = defaultdict(list)
    for one, parent in rows:
        parents[one] = parent
        children[parent].append(one)
    return parents, children
