"""Start a conversation and look after it."""

from functools import partial
from typing import Any

from django.db import transaction

from agents_app.models import Agent
from console.audit import actions
from console.audit.services import record
from console.chat import answering
from console.chat.models import Conversation, Message
from console.chat.queries import exporting
from console.core.clock import now
from console.teams.callers import Actor
from console.teams.models import Team, User

TITLE_LENGTH = 80


def start_conversation(*, owner: User, team: Team, agent: Agent) -> Conversation:
    """Make an empty conversation of a person with an agent. Its calls are on record, it is not."""
    return Conversation.objects.create(owner=owner, team=team, agent=agent)


def title_from(question: Message) -> str:
    """Return a first title: the beginning of what was asked, in one line, cut between words."""
    line = " ".join((question.text or question.attachments[0]["name"]).split())
    if len(line) <= TITLE_LENGTH:
        return line
    return line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0].rstrip(".,;:") + "…"


def rename(*, conversation: Conversation, title: str) -> Conversation:
    """Give it a title by hand, which no model changes any more."""
    conversation.title, conversation.is_title_by_hand = " ".join(title.split())[:120], True
    conversation.save(update_fields=["title", "is_title_by_hand"])
    return conversation


def pin(*, conversation: Conversation, is_pinned: bool) -> Conversation:
    conversation.pinned_at = now() if is_pinned else None
    conversation.save(update_fields=["pinned_at"])
    return conversation


def archive(*, conversation: Conversation, is_archived: bool) -> Conversation:
    conversation.archived_at = now() if is_archived else None
    conversation.save(update_fields=["archived_at"])
    return conversation


@transaction.atomic
def export(*, actor: Actor, conversation: Conversation, form: str) -> str | dict[str, Any]:
    """Return the conversation as `md`, text of the branch shown, or as `json`, an object with every branch."""
    record(actions.CONVERSATION_EXPORTED, actor=actor, target=conversation, detail={"format": form})
    return exporting.as_markdown(conversation) if form == "md" else exporting.as_json(conversation)


@transaction.atomic
def share(*, actor: Actor, conversation: Conversation, is_shared: bool) -> Conversation:
    """Let the team read along, or stop that."""
    if (conversation.shared_at is not None) == is_shared:
        return conversation
    conversation.shared_at = now() if is_shared else None
    conversation.save(update_fields=["shared_at"])
    action = actions.CONVERSATION_SHARED if is_shared else actions.CONVERSATION_UNSHARED
    record(action, actor=actor, target=conversation)
    return conversation


@transaction.atomic
def delete(*, actor: Actor, conversation: Conversation) -> None:
    """Delete a conversation with all it says; what its calls said stays in the log as long as everything there."""
    conversation.title, conversation.leaf, conversation.deleted_at = "", None, now()
    conversation.save(update_fields=["title", "leaf", "deleted_at"])
    writing = list(conversation.messages.filter(status=Message.Status.WRITING).values_list("pk", flat=True))
    conversation.messages.all().delete()
    for message_id in writing:
        transaction.on_commit(partial(answering.stop, message_id))
    record(actions.CONVERSATION_DELETED, actor=actor, target=conversation, target_name="Conversation")
