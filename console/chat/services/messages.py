"""Send, regenerate and edit messages: the turns of a conversation, which form a tree."""

import uuid
from typing import Any

from django.db import transaction
from django.db.models import Func, IntegerField, Sum

from console.chat import generation
from console.chat.errors import CannotSend, StillWriting, UnknownConversation
from console.chat.models import Conversation, Message
from console.chat.requests import Speaker, ask_for, tree_of
from console.chat.services.conversations import title_from
from console.chat.services.sweep import sweep_lost
from console.core.clock import now
from console.core.sql import get_or_raise

LONGEST = 100_000
# Bytes of files in the database, pictures as base64: a hundred large ones or so.
MOST_STORED = 64 * 1024 * 1024


@transaction.atomic
def send(
    *,
    conversation: Conversation,
    speaker: Speaker,
    text: str,
    attachments: list[dict[str, Any]] | None = None,
) -> Message:
    """Say something at the end of the branch shown; return the answer, which is begun once this is committed.

    While a person of the team has a visitor's conversation nothing is begun, and what was said is returned itself.
    """
    conversation = _claimed(conversation)
    return _say(conversation, speaker, checked(text, attachments), attachments or [], parent=conversation.leaf_id)


@transaction.atomic
def edit(*, message: Message, speaker: Speaker, text: str, attachments: list[dict[str, Any]] | None = None) -> Message:
    """Say something else in a turn's place: a new branch beside the old one, which stays. None keeps its files."""
    conversation = _claimed(message.conversation)
    if message.role != Message.Role.USER:
        raise CannotSend("Only what you wrote can be changed.")
    kept = message.attachments if attachments is None else attachments
    return _say(conversation, speaker, checked(text, kept), kept, parent=message.parent_id)


@transaction.atomic
def regenerate(*, answer: Message, speaker: Speaker) -> Message:
    """Have the same question answered again, beside the answer there is."""
    conversation = _claimed(answer.conversation)
    if answer.role != Message.Role.ASSISTANT or answer.parent_id is None:
        raise CannotSend("Only an answer can be written again.")
    return _answer(conversation, speaker, answer.parent_id)


@transaction.atomic
def show(*, message: Message) -> Conversation:
    """Switch to the branch a message is on, at its newest end."""
    conversation = _claimed(message.conversation)
    rows = Message.objects.filter(conversation=conversation).order_by("created_at", "id").values_list("pk", "parent_id")
    conversation.leaf_id = tree_of(list(rows))(message.pk)
    conversation.save(update_fields=["leaf"])
    return conversation


@transaction.atomic
def stop(*, answer: Message) -> Message:
    """End an answer where it is; what was written stays."""
    stopped = Message.objects.filter(pk=answer.pk, status=Message.Status.WRITING).update(
        status=Message.Status.STOPPED, ended_at=now(), lease_until=None
    )
    if stopped:
        transaction.on_commit(lambda: generation.stop(answer.pk))
    return answer


def _claimed(conversation: Conversation) -> Conversation:
    """Lock a conversation in which nothing is being written, or refuse."""
    rows = Conversation.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "agent__live", "agent__team"
    )
    locked = get_or_raise(rows.filter(pk=conversation.pk, deleted_at=None), UnknownConversation)
    sweep_lost(locked)
    if Message.objects.filter(conversation=locked, status=Message.Status.WRITING).exists():
        raise StillWriting
    return locked


def checked(text: str, attachments: list[dict[str, Any]] | None = None) -> str:
    """Return a message's words as they are kept, or refuse them."""
    text = text.replace("\x00", "").strip()
    if not text and not attachments:
        raise CannotSend("Write something first.", param="text")
    if len(text) > LONGEST:
        raise CannotSend(
            f"That is {len(text):,} characters; a message may have {LONGEST:,}. Shorten it, or attach it as a file.",
            param="text",
        )
    return text


def check_room(conversation: Conversation, attachments: list[dict[str, Any]]) -> None:
    """Refuse files for which a conversation has no room, all of its branches together. It must be locked."""
    if not attachments:
        return
    stored = Message.objects.filter(conversation=conversation).aggregate(
        # Of what is stored as it is: nothing is unpacked to be measured.
        bytes=Sum(Func("attachments", function="pg_column_size", output_field=IntegerField()), default=0)
    )["bytes"]
    if stored + sum(len(file["text"]) + len(file.get("data", "")) for file in attachments) > MOST_STORED:
        raise CannotSend(
            "This conversation has no room for more files. Send it without them, or start a new conversation.",
            param="files",
        )


def _say(
    conversation: Conversation,
    speaker: Speaker,
    text: str,
    attachments: list[dict[str, Any]],
    *,
    parent: uuid.UUID | None,
) -> Message:
    check_room(conversation, attachments)
    question = Message.objects.create(
        conversation=conversation,
        parent_id=parent,
        role=Message.Role.USER,
        text=text,
        attachments=attachments,
        author=speaker.user,
        author_name=speaker.name[:200],
    )
    if not conversation.title:
        conversation.title = title_from(question)
        conversation.save(update_fields=["title"])
    if conversation.taken_by_id is not None:
        return put_at_end(conversation, question)
    return _answer(conversation, speaker, question.pk)


def _answer(conversation: Conversation, speaker: Speaker, question_id: uuid.UUID) -> Message:
    """Put an empty answer behind a question, and begin it after commit. A process that dies between leaves a lease."""
    if conversation.taken_by_id is not None:
        raise CannotSend("A person answers here now. Ask them.")
    agent = conversation.agent
    if agent.live is None or agent.archived_at is not None:
        raise CannotSend(f"{agent.name} is not there any more. Start a conversation with another assistant.")
    answer = Message(
        conversation=conversation,
        parent_id=question_id,
        role=Message.Role.ASSISTANT,
        status=Message.Status.WRITING,
        author_name=agent.name,
        agent_version=agent.live,
        lease_until=generation.lease(),
    )
    ask = ask_for(answer, speaker)
    answer.request_id = ask.id  # already now: when this process dies, what is left still finds its line in the log
    answer.save(force_insert=True)
    put_at_end(conversation, answer)
    transaction.on_commit(lambda: generation.start(answer.pk, speaker.identify, ask))
    return answer


def put_at_end(conversation: Conversation, message: Message) -> Message:
    """Make a message the end of the branch shown."""
    conversation.leaf, conversation.last_at = message, now()
    conversation.save(update_fields=["leaf", "last_at"])
    return message
