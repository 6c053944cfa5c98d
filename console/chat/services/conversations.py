"""Create, change and delete conversations."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db import transaction

from agents_app.models import Agent
from console.audit import actions
from console.audit.services import record
from console.chat import generation
from console.chat.models import Conversation, Message
from console.chat.queries import export
from console.core.clock import now
from console.core.errors import Gone
from console.teams.callers import Actor
from console.teams.models import Team, User

TITLE_LENGTH = 80


def start_conversation(*, owner: User, team: Team, agent: Agent) -> Conversation:
    """Make an empty conversation of a person with an agent. Its calls are recorded, it is not."""
    return Conversation.objects.create(owner=owner, team=team, agent=agent)


def title_from(question: Message) -> str:
    """Return a first title: the beginning of what was asked, in one line, cut between words."""
    line = " ".join((question.text or question.attachments[0]["name"]).split())
    if len(line) <= TITLE_LENGTH:
        return line
    return line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0].rstrip(".,;:") + "…"


def _change(conversation: Conversation, **fields: Any) -> Conversation:
    """Write to a conversation, unless it was deleted since it was looked up: nothing comes back to one that was."""
    if not Conversation.objects.filter(pk=conversation.pk, deleted_at=None).update(**fields):
        raise Gone
    for name, value in fields.items():
        setattr(conversation, name, value)
    return conversation


def rename(*, conversation: Conversation, title: str) -> Conversation:
    """Give it a title by hand, which no model changes any more."""
    return _change(conversation, title=" ".join(title.split())[:120], is_title_by_hand=True)


def pin(*, conversation: Conversation, is_pinned: bool) -> Conversation:
    return _change(conversation, pinned_at=now() if is_pinned else None)


def archive(*, conversation: Conversation, is_archived: bool) -> Conversation:
    return _change(conversation, archived_at=now() if is_archived else None)


@transaction.atomic
def export_markdown(*, actor: Actor, conversation: Conversation) -> str:
    """Return the branch shown as text."""
    record(actions.CONVERSATION_EXPORTED, actor=actor, target=conversation, detail={"format": "md"})
    return export.as_markdown(conversation)


@transaction.atomic
def export_json(*, actor: Actor, conversation: Conversation) -> Iterator[bytes]:
    """Return an object with every branch, in pieces that are read as they are sent."""
    record(actions.CONVERSATION_EXPORTED, actor=actor, target=conversation, detail={"format": "json"})
    return export.as_json(conversation)


@transaction.atomic
def share(*, actor: Actor, conversation: Conversation, is_shared: bool) -> Conversation:
    """Let the team read along, or stop that."""
    if (conversation.shared_at is not None) == is_shared:
        return conversation
    _change(conversation, shared_at=now() if is_shared else None)
    action = actions.CONVERSATION_SHARED if is_shared else actions.CONVERSATION_UNSHARED
    record(action, actor=actor, target=conversation)
    return conversation


@transaction.atomic
def delete(*, actor: Actor, conversation: Conversation) -> None:
    """Delete a conversation with all it says; what its calls said stays in the log as long as everything there."""
    _change(conversation, title="", leaf=None, deleted_at=now())
    writing = list(conversation.messages.filter(status=Message.Status.WRITING).values_list("pk", flat=True))
    conversation.messages.all().delete()
    for message_id in writing:
        transaction.on_commit(partial(generation.stop, message_id))
    record(actions.CONVERSATION_DELETED, actor=actor, target=conversation, target_name="Conversation")
