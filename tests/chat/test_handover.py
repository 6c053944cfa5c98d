"""A person takes a visitor's conversation over, answers, and gives it back: one person at a time."""

import json
import uuid
from functools import partial
from typing import Any

import pytest

from console.audit.models import AuditEvent
from console.chat.embed import services
from console.chat.embed.tokens import Pass
from console.chat.errors import CannotSend, TakenByOther, UnknownConversation
from console.chat.models import Conversation, Message
from console.chat.requests import Speaker
from console.chat.services import handover, messages
from console.gateway.identity import PersonIdentity
from console.teams.models import Environment, Membership, User
from console.teams.services.teams import remove_member
from tests import make
from tests.at_once import at_once
from tests.conftest import Cast
from tests.make import actor_for as actor

VISITOR = Speaker(PersonIdentity(uuid.uuid4(), uuid.uuid4(), Environment.PRODUCTION), "Visitor")


def take(conversation: Conversation, user: User, **more: Any) -> Conversation:
    return handover.take_over(actor=actor(user), person=user, conversation=conversation, **more)


def visitor_says(conversation: Conversation, text: str) -> Message:
    return messages.send(conversation=conversation, speaker=VISITOR, text=text)


def test_a_person_answers_in_the_assistants_place_until_they_give_back(cast: Cast) -> None:
    talk = make.make_visit(make.make_widget(cast.team_a), "Where is my parcel?")
    writing = Message.objects.create(conversation=talk, parent=talk.leaf, role="assistant", status="writing")
    with pytest.raises(TakenByOther, match="Take the conversation over first"):
        handover.say(person=cast.bob, conversation=talk, text="Hello")
    take(talk, cast.bob)
    writing.refresh_from_db()
    assert writing.status == "stopped"

    asked = visitor_says(talk, "Is anybody there?")
    assert asked.role == "user", "nothing is begun, and what was said is returned"
    said = handover.say(person=cast.bob, conversation=talk, text="  I am. One moment.  ")
    talk.refresh_from_db()
    assert (said.role, said.text, said.parent, talk.leaf) == ("person", "I am. One moment.", asked, said)
    assert said.author_name == "Bob"
    User.objects.filter(pk=cast.bob.pk).update(name="")
    cast.bob.refresh_from_db()
    again = handover.say(person=cast.bob, conversation=talk, text="Found it.")
    assert again.author_name == "Team A", "visitors see no address"
    with pytest.raises(CannotSend, match="A person answers here"):
        messages.regenerate(answer=writing, speaker=VISITOR)
    with pytest.raises(CannotSend, match="Write something"):
        handover.say(person=cast.bob, conversation=talk, text=" ")

    handover.give_back(actor=actor(cast.bob), person=cast.bob, conversation=talk)
    talk.refresh_from_db()
    assert talk.taken_by is None and talk.taken_at is None
    answer = visitor_says(talk, "Thank you")
    assert (answer.role, answer.status) == ("assistant", "writing")
    lines = AuditEvent.objects.filter(target_id=str(talk.pk)).order_by("id")
    assert [(line.action, json.loads(line.detail)) for line in lines] == [
        ("conversation.taken", {"before": {"taken_by": None}, "after": {"taken_by": "Bob"}}),
        ("conversation.given_back", {"before": {"taken_by": str(cast.bob)}, "after": {"taken_by": None}}),
    ]


def test_the_second_is_told_who_has_it_and_may_take_it_from_whom_they_saw(cast: Cast) -> None:
    talk = make.make_visit(make.make_widget(cast.team_a), "Hello?")
    take(talk, cast.bob)
    take(talk, cast.bob)
    with pytest.raises(TakenByOther, match="Bob answers this visitor since"):
        take(talk, cast.alice)
    for refused in (handover.say, handover.give_back):
        more = {"text": "Hi"} if refused is handover.say else {"actor": actor(cast.alice)}
        with pytest.raises(TakenByOther, match="Bob"):
            refused(person=cast.alice, conversation=talk, **more)
    take(talk, cast.alice, seen=cast.bob.pk)
    assert Conversation.objects.get(pk=talk.pk).taken_by == cast.alice
    with pytest.raises(TakenByOther, match="Alice"):
        take(talk, cast.bob)
    assert AuditEvent.objects.filter(action="conversation.taken").count() == 2


def test_a_visitor_of_somebody_who_left_the_team_is_answered_by_the_assistant_again(cast: Cast) -> None:
    widget = make.make_widget(cast.team_a)
    talk = make.make_visit(widget, "Where is my parcel?")
    take(talk, cast.bob)
    assert talk.visitor_id is not None
    held = Pass(widget.public_id, "https://shop.example", talk.visitor_id)

    def say() -> Message:
        return services.say(widget=widget, token_pass=held, text="Hello?", address="192.0.2.1")

    assert say().role == "user", "while Bob is there, he answers"
    remove_member(actor=actor(cast.alice), membership=Membership.objects.get(user=cast.bob))
    assert say().role == "assistant"
    assert Conversation.objects.get(pk=talk.pk).taken_by is None
    assert AuditEvent.objects.get(action="conversation.given_back").actor == "Facet"


def test_it_takes_no_conversation_of_a_person(cast: Cast) -> None:
    own = Conversation.objects.create(team=cast.team_a, agent=make.make_agent(cast.team_a), owner=cast.alice)
    with pytest.raises(UnknownConversation):
        take(own, cast.bob)


@pytest.mark.usefixtures("committed_db")
def test_of_many_who_take_at_once_one_has_it() -> None:
    cast = Cast()
    talk = make.make_visit(make.make_widget(cast.team_a), "Hello?")
    people = [make.make_member(cast.team_a) for _ in range(6)]
    outcomes = at_once(*(partial(take, talk, user) for user in people))
    told = [one.message for one in outcomes if isinstance(one, TakenByOther)]
    has_it = Conversation.objects.get(pk=talk.pk).taken_by
    assert has_it in people and len(told) == 5
    assert all(one.startswith(f"{has_it} answers this visitor") for one in told)
    assert AuditEvent.objects.filter(action="conversation.taken").count() == 1
