"""Let a person of the team answer a visitor instead of the assistant, and give the conversation back.

Taking over and sending lock the same row, so a visitor's message goes either to the assistant or to the person.
"""

import uuid

from django.db import transaction

from console.audit import actions
from console.audit.actions import Action
from console.audit.services import changes, record
from console.chat.errors import TakenByOther, UnknownConversation
from console.chat.models import Conversation, Message
from console.chat.services import messages
from console.core.clock import now
from console.core.sql import get_or_raise
from console.teams.actors import SYSTEM, Actor
from console.teams.models import User
from console.teams.rights import rights_in_team


@transaction.atomic
def take_over(*, actor: Actor, person: User, conversation: Conversation, seen: uuid.UUID | None = None) -> Conversation:
    """Have a person answer a visitor from now on; what the assistant is writing stops where it is.

    `seen` is who had it when the person decided: nobody takes a conversation from somebody they did not see there.
    """
    conversation = _locked(conversation)
    before = conversation.taken_by
    if before == person:
        return conversation
    if conversation.taken_by_id != seen:
        raise _taken_by_other(conversation)
    conversation.taken_by, conversation.taken_at, conversation.person_wanted_at = person, now(), None
    conversation.escalated_at = conversation.escalated_at or conversation.taken_at
    conversation.save(update_fields=["taken_by", "taken_at", "person_wanted_at", "escalated_at"])
    for answer in conversation.messages.filter(status=Message.Status.WRITING):
        messages.stop(answer=answer)
    _note(actions.CONVERSATION_TAKEN, actor, conversation, before, person)
    return conversation


@transaction.atomic
def say(*, person: User, conversation: Conversation, text: str) -> Message:
    """Answer the visitor, in one's own name."""
    conversation = _held_by(conversation, person)
    said = Message.objects.create(
        conversation=conversation,
        parent_id=conversation.leaf_id,
        role=Message.Role.PERSON,
        text=messages.checked(text),
        author=person,
        author_name=person.name or conversation.team.name,  # visitors see it: never an address
        ended_at=now(),
    )
    return messages.put_at_end(conversation, said)


@transaction.atomic
def give_back(*, actor: Actor, person: User, conversation: Conversation) -> Conversation:
    """Let the assistant answer again, from the visitor's next message on."""
    conversation = _held_by(conversation, person)
    conversation.taken_by = conversation.taken_at = None
    conversation.save(update_fields=["taken_by", "taken_at"])
    _note(actions.CONVERSATION_GIVEN_BACK, actor, conversation, person, None)
    return conversation


@transaction.atomic
def give_back_what_is_left(conversation: Conversation) -> None:
    """Let the assistant answer again where whoever took a conversation over may answer no visitors any more.

    They left the team, or their account was closed: the visitor would write to nobody.
    """
    conversation = _locked(conversation)
    left = conversation.taken_by
    if left is None or "use_models" in rights_in_team(left, conversation.team_id):
        return
    conversation.taken_by = conversation.taken_at = None
    conversation.save(update_fields=["taken_by", "taken_at"])
    _note(actions.CONVERSATION_GIVEN_BACK, SYSTEM, conversation, left, None)


def _locked(conversation: Conversation) -> Conversation:
    """Return a visitor's conversation as it is now, its row locked until commit."""
    # Not with taken_by at hand: after waiting for the lock, a joined row is still the one of before.
    rows = Conversation.objects.select_for_update(no_key=True, of=("self",)).select_related("team")
    return get_or_raise(rows.filter(pk=conversation.pk, widget__isnull=False, deleted_at=None), UnknownConversation)


def _held_by(conversation: Conversation, person: User) -> Conversation:
    conversation = _locked(conversation)
    if conversation.taken_by_id != person.pk:
        raise _taken_by_other(conversation)
    return conversation


def _taken_by_other(conversation: Conversation) -> TakenByOther:
    if conversation.taken_by is None or conversation.taken_at is None:
        return TakenByOther("The assistant answers this visitor. Take the conversation over first.")
    return TakenByOther(
        f"{conversation.taken_by} answers this visitor since {conversation.taken_at:%H:%M} UTC."
        " Ask them to give it back, or take it over from them."
    )


def _note(action: Action, actor: Actor, conversation: Conversation, before: User | None, after: User | None) -> None:
    who = {"taken_by": str(before) if before else None}, {"taken_by": str(after) if after else None}
    record(action, actor=actor, target=conversation, target_name="Visitor's conversation", detail=changes(*who))
