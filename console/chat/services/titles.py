"""Let the model write titles, in the batch lane. Until then, the beginning of the question is shown."""

import logging
import uuid
from contextlib import suppress

from django.db import transaction

from console.chat.models import Conversation, Message
from console.chat.requests import ask_from, person, words_of
from console.chat.services.conversations import TITLE_LENGTH, title_from
from console.core.errors import ProviderError, Refusal
from console.core.lanes import Lane
from console.core.tasks import enqueue_on_commit
from console.gateway import sync
from console.gateway.answer_reader import AnswerReader

log = logging.getLogger(__name__)

_MOST_READ = 2_000
_WISH = (
    "Write a title for the conversation below: at most seven words, in its language, without quotation marks or a full"
    " stop. Answer with the title alone."
)


def want_title(message_id: uuid.UUID) -> None:
    """Have a conversation named after its first answer."""
    answer = Message.objects.select_related("conversation", "parent").filter(pk=message_id).first()
    if answer is None or answer.parent is None or answer.parent.parent_id is not None:
        return
    if answer.conversation.owner_id is None:  # a visitor's keeps the beginning of their question
        return
    if _is_first(answer.conversation, answer.parent):
        with transaction.atomic():
            enqueue_on_commit("chat.title", answer.pk, queue=Lane.BATCH)


def make_title(message_id: uuid.UUID) -> str:
    """Name a conversation by what was asked and answered; return the title, empty when it keeps the one it has."""
    rows = Message.objects.select_related("conversation__owner", "agent_version", "parent")
    answer = rows.filter(pk=message_id, conversation__deleted_at=None).first()
    if answer is None or answer.parent is None or answer.agent_version is None:
        return ""
    conversation = answer.conversation
    if conversation.owner is None or not _is_first(conversation, answer.parent):
        return ""
    message = f"{words_of(answer.parent.text, answer.parent.attachments)[:_MOST_READ]}\n\n{answer.text[:_MOST_READ]}"
    body = {
        "model": answer.agent_version.alias,
        "messages": [{"role": "system", "content": _WISH}, {"role": "user", "content": message}],
        "max_tokens": 40,
    }
    speaker = person(conversation, conversation.owner)
    reader = AnswerReader()
    with suppress(Refusal, ProviderError):
        reader.read(sync.answer(speaker.identify, ask_from(body, lane=Lane.BATCH))[1])
    title = _tidy(reader.text)
    if title:
        unnamed = Conversation.objects.filter(pk=conversation.pk, is_title_by_hand=False, deleted_at=None)
        unnamed.update(title=title)
    return title


def _is_first(conversation: Conversation, question: Message) -> bool:
    """Return whether the title is still the one the question gave it."""
    return not conversation.is_title_by_hand and conversation.title == title_from(question)


def _tidy(text: str) -> str:
    """Return a title from what a model wrote, empty when that is not one."""
    lines = [line.strip(" \t\"'`*#.“”„«»") for line in text.splitlines() if line.strip()]
    title = " ".join(lines[0].removeprefix("Title:").split()) if lines else ""
    return title if 2 < len(title) <= TITLE_LENGTH else ""
