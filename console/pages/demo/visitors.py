"""Create the demo's widget and its visitors' conversations."""

import datetime as dt
from dataclasses import dataclass

from agents_app.models import Agent
from console.chat.models import Conversation, Feedback, Message, Visitor, Widget
from console.chat.services.widgets import create_widget
from console.core.clock import now
from console.pages.demo.ids import id_at
from console.teams.actors import Actor
from console.teams.models import Team, User

_SITE = "https://help.larkfield.example"


@dataclass(frozen=True, slots=True)
class Talk:
    """Question, answer, question, answer …; the last may be a question nobody has answered yet."""

    name: str
    minutes_ago: float
    words: tuple[str, ...]
    is_good: bool | None = None
    comment: str = ""
    wants_person: bool = False


TALKS = (
    Talk(
        "Oda Fisker",
        9,
        (
            "My order from Monday has not come. The parcel page says delivered.",
            "I am sorry. When a parcel is marked delivered and is not there, the carrier looks into it "
            "within two days. Shall I hand you to a colleague who can start that?",
            "Yes please, a person.",
        ),
        wants_person=True,
    ),
    Talk(
        "",
        47,
        (
            "How do I send back a part I ordered twice?",
            "Open **Orders**, choose the part, then **Send back**. You get a label by e-mail:\n\n"
            "1. Pack the part with the slip.\n2. Hand it in within 30 days.\n3. The money is back within five days.",
        ),
        is_good=True,
    ),
    Talk(
        "",
        60 * 22,
        (
            "do you ship to norway",
            "Yes. Delivery to Norway takes three to five working days; customs are included in the price shown.",
            "and svalbard?",
            "I do not have that in what I was told. A colleague can look it up.",
        ),
        is_good=False,
        comment="It should know this.",
    ),
)


def make_visitors(teams: dict[str, Team], people: dict[str, User]) -> None:
    """Make the widget with its conversations, unless the team has one."""
    team, person = teams["support"], people["tomas.lind@demo.example"]
    if Widget.objects.filter(team=team).exists():
        return
    widget = create_widget(
        actor=Actor(kind="user", id=person.pk, name=person.name),
        team=team,
        agent=Agent.objects.get(slug="support-assistant", team=team),
        name="Help corner (demo)",
        title="Larkfield help",
        greeting="Hello! Ask me about an order, a return or a refund.",
        suggested_questions=["Where is my order?", "How do I send something back?"],
        origins=[_SITE],
    )
    for talk in TALKS:
        _make(widget, talk)


def _make(widget: Widget, talk: Talk) -> None:
    at = now() - dt.timedelta(minutes=talk.minutes_ago)
    visitor = Visitor.objects.create(id=id_at(at), widget=widget, name=talk.name, origin=_SITE, created_at=at)
    conversation = Conversation.objects.create(
        id=id_at(at),
        team=widget.team,
        agent=widget.agent,
        visitor=visitor,
        widget=widget,
        title=talk.words[0][:120],
        created_at=at,
    )
    last: Message | None = None
    for place, text in enumerate(talk.words):
        is_answer = bool(place % 2)
        last = Message.objects.create(
            id=id_at(at),
            conversation=conversation,
            parent=last,
            role=Message.Role.ASSISTANT if is_answer else Message.Role.USER,
            text=text,
            author_name=widget.agent.name if is_answer else "",
            agent_version=widget.agent.live if is_answer else None,
            created_at=at,
            ended_at=at,
        )
        if is_answer and talk.is_good is not None and place == len(talk.words) - 1:
            Feedback.objects.create(message=last, visitor=visitor, is_good=talk.is_good, comment=talk.comment)
        at += dt.timedelta(seconds=25)
    conversation.leaf, conversation.last_at = last, at
    conversation.person_wanted_at = conversation.escalated_at = at if talk.wants_person else None
    conversation.save()
    Visitor.objects.filter(pk=visitor.pk).update(seen_at=at)
