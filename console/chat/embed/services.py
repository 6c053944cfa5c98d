"""What a visitor can do: send a message, regenerate, stop or rate an answer, ask for a person."""

import uuid
from contextlib import suppress

from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce

from agents_app.requests import ask_of
from console.audit.redaction import kept_name
from console.audit.services.ratings import MOST_COMMENT, Word
from console.chat.embed import tokens
from console.chat.embed.access import conversation_of, message_of, visitor_of
from console.chat.embed.allowances import hold, refuse_spent, take, uses_of
from console.chat.embed.errors import AssistantAway, MessageTooLong, WidgetOff
from console.chat.embed.identity import VisitorIdentity
from console.chat.embed.limits import limits_of
from console.chat.embed.sql import Use
from console.chat.embed.tokens import Pass
from console.chat.errors import CannotSend, UnknownConversation
from console.chat.models import Conversation, Feedback, Message, Visitor, Widget
from console.chat.requests import Speaker, ask_from, history_before
from console.chat.services import messages
from console.chat.services.feedback import check_is_written, say_of_call
from console.chat.services.handover import give_back_what_is_left
from console.core.clock import now
from console.core.errors import Refusal
from console.gateway import sync
from console.gateway.cost_ceiling import CostCeiling, cost_ceiling

SURFACE = "widget"
ROUTE = "/embed/"


def say(*, widget: Widget, token_pass: Pass, text: str, address: str) -> Message:
    """Say something; return the answer that is begun, or what was said where a person of the team answers."""
    text = _checked(widget, text)
    speaker = speaker_for(widget, token_pass, address)
    before = conversation_of(widget, token_pass)
    if before is not None and before.taken_by_id is not None:
        give_back_what_is_left(before)
        before = conversation_of(widget, token_pass)
    uses = _uses(widget, token_pass, speaker, before, before.leaf_id if before else None, text)
    with transaction.atomic():
        _refuse_if_off(widget)
        conversation = before or _begun(widget, token_pass)
        # The visitor's row before the conversation's, as whoever begins one takes them: or two tabs wait for good.
        Visitor.objects.filter(conversations=conversation).update(seen_at=now())
        if conversation.agent_id != widget.agent_id:
            conversation.agent = widget.agent
            conversation.save(update_fields=["agent"])
        message = messages.send(conversation=conversation, speaker=speaker, text=text)
        _count(widget, message, uses)
    return message


def again(*, widget: Widget, token_pass: Pass, message_id: uuid.UUID, address: str) -> Message:
    """Have a question answered again, where the answer failed; it counts like another message."""
    answer = message_of(widget, token_pass, message_id)
    if answer.status in {Message.Status.DONE, Message.Status.WRITING} or answer.pk != answer.conversation.leaf_id:
        raise CannotSend("Only the last answer can be written again, and only when it failed.")
    speaker = speaker_for(widget, token_pass, address)
    uses = _uses(widget, token_pass, speaker, answer.conversation, answer.parent_id, "")
    with transaction.atomic():
        _refuse_if_off(widget)
        fresh = messages.regenerate(answer=answer, speaker=speaker)
        _count(widget, fresh, uses)
    return fresh


def stop(*, widget: Widget, token_pass: Pass, message_id: uuid.UUID) -> Message:
    """End an answer of the visitor's own conversation where it is; one that is over stays as it is."""
    answer = message_of(widget, token_pass, message_id)
    if answer.role != Message.Role.ASSISTANT:
        raise CannotSend("Only an answer can be stopped.")
    messages.stop(answer=answer)
    answer.refresh_from_db()
    return answer


def rate(*, widget: Widget, token_pass: Pass, message_id: uuid.UUID, is_good: bool | None, comment: str = "") -> None:
    """Return whether an answer helped, or (None) take that back."""
    answer = message_of(widget, token_pass, message_id)
    check_is_written(answer)
    visitor = answer.conversation.visitor
    assert visitor is not None, "the conversations of a widget are visitors'"
    with transaction.atomic():
        if is_good is None:
            Feedback.objects.filter(message=answer, visitor=visitor).delete()
            say_of_call(visitor, answer, None)
            return
        comment = comment.replace("\x00", "").strip()[:MOST_COMMENT]
        kept = {"is_good": is_good, "comment": comment, "given_at": now()}
        Feedback.objects.update_or_create(message=answer, person=None, visitor=visitor, defaults=kept)
        say_of_call(visitor, answer, Word(is_good, comment=comment))


def ask_for_person(*, widget: Widget, token_pass: Pass) -> Conversation:
    """Ask that a person of the team answers; the team sees it in the list of conversations."""
    conversation = conversation_of(widget, token_pass)
    if conversation is None:
        raise UnknownConversation
    wanting = Conversation.objects.filter(pk=conversation.pk, person_wanted_at=None, taken_by=None)
    wanting.update(person_wanted_at=now(), escalated_at=Coalesce("escalated_at", now()))
    conversation.refresh_from_db(fields=["person_wanted_at", "taken_by"])
    return conversation


def speaker_for(widget: Widget, token_pass: Pass, address: str) -> Speaker:
    """Return the visitor as whoever asks in their conversation."""
    identify = VisitorIdentity(widget.pk, widget.name, widget.team_id)
    name = token_pass.name or token_pass.identity or "Visitor"
    whose = kept_name("user", token_pass.identity)
    return Speaker(identify, name, None, SURFACE, address, tokens.fingerprint(token_pass), ROUTE, whose)


def _checked(widget: Widget, text: str) -> str:
    text = text.replace("\x00", "").strip()
    longest = limits_of(widget.limits)["message_characters"]
    if not text:
        raise CannotSend("Write something first.", param="text")
    if len(text) > longest:
        raise MessageTooLong(len(text), longest)
    return text


def _refuse_if_off(widget: Widget) -> None:
    """Refuse what arrives after the widget was switched off. A call that begins at that moment is refused by itself."""
    if widget.agent.live is None or widget.agent.archived_at is not None:
        raise AssistantAway
    if not Widget.objects.filter(pk=widget.pk, is_enabled=True, deleted_at=None).exists():
        raise WidgetOff


def _begun(widget: Widget, token_pass: Pass) -> Conversation:
    """Return the visitor's conversation, made with their first words: one, however many tabs they have."""
    visitor = Visitor.objects.select_for_update(no_key=True).get(pk=_present(widget, token_pass).pk)
    return conversation_of(widget, token_pass) or Conversation.objects.create(
        team=widget.team, agent=widget.agent, visitor=visitor, widget=widget
    )


def _present(widget: Widget, token_pass: Pass) -> Visitor:
    visitor = visitor_of(widget, token_pass)
    if visitor is not None:
        return visitor
    with suppress(IntegrityError), transaction.atomic():  # their other tab may be as quick
        return Visitor.objects.create(
            pk=token_pass.visitor,
            widget=widget,
            identity=token_pass.identity,
            name=token_pass.name,
            origin=token_pass.origin,
        )
    visitor = visitor_of(widget, token_pass)
    if visitor is None:
        raise WidgetOff
    return visitor


def _uses(
    widget: Widget,
    token_pass: Pass,
    speaker: Speaker,
    conversation: Conversation | None,
    parent_id: uuid.UUID | None,
    text: str,
) -> list[Use]:
    """Return what a message uses of the limits; what is spent already is refused before anything is worked out."""
    # Whom the site vouches for is the same visitor on every device.
    visitor = tokens.fingerprint(token_pass) if token_pass.identity else token_pass.visitor.hex
    address, moment = speaker.client_address, now()
    refuse_spent(widget, uses_of(widget, visitor=visitor, address=address, most=CostCeiling(1, 1), moment=moment))
    estimated = CostCeiling(0, 0)
    if conversation is None or conversation.taken_by_id is None:
        estimated = _most(widget, speaker, conversation, parent_id, text)
    return uses_of(widget, visitor=visitor, address=address, most=estimated, moment=moment)


def _most(
    widget: Widget, speaker: Speaker, conversation: Conversation | None, parent_id: uuid.UUID | None, text: str
) -> CostCeiling:
    """Return the most an answer can come to; nothing where it cannot begin, which the answer then says itself."""
    version = widget.agent.live
    if version is None:
        return CostCeiling(0, 0)
    version.agent = widget.agent
    before = Message(conversation=conversation, parent_id=parent_id)
    history = history_before(before, widget.agent) if conversation else []
    if text:
        history.append({"role": "user", "content": text})
    with suppress(Refusal):
        return sync.run(cost_ceiling(speaker.identify, ask_from(ask_of(version, history), surface=SURFACE)))
    return CostCeiling(0, 0)


def _count(widget: Widget, message: Message, uses: list[Use]) -> None:
    """Count a message last, as the rows that all visitors share stay locked until the end."""
    take(widget, uses)
    if message.status == Message.Status.WRITING:
        hold(message, widget, uses)
