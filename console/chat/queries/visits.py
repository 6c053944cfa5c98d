"""Conversations of a widget's visitors: the list, and one of them with its ratings."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Left

from console.chat import access
from console.chat.markdown import excerpt
from console.chat.models import Conversation, Feedback, Message, Widget
from console.chat.queries.cursors import behind, place_of
from console.chat.queries.thread import Thread, thread
from console.core.clock import now
from console.teams.callers import Caller
from console.teams.models import Team

PAGE = 40
_EXCERPT = 160
STATES = {
    "": "All",
    "waiting": "Waiting for a person",
    "taken": "Answered by a person",
    "bad": "Unhappy",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One conversation in the list. `last_text` is the beginning of what was said last."""

    conversation: Conversation
    last_role: str
    last_status: str
    last_text: str
    good: int
    bad: int

    @property
    def who(self) -> str:
        return name_of(self.conversation)

    @property
    def is_waiting(self) -> bool:
        return is_waiting(self.conversation, self.last_role)

    @property
    def is_live(self) -> bool:
        return now() - self.conversation.last_at < dt.timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Listing:
    visits: list[Visit]
    older: str
    state: str


def name_of(conversation: Conversation) -> str:
    """Return what a visitor is called: as their site says, else by the end of an id that tells them apart."""
    visitor = conversation.visitor
    if visitor is None:
        return "Visitor"
    return visitor.name or visitor.identity or f"Visitor {visitor.pk.hex[-4:]}"


def is_waiting(conversation: Conversation, last_role: str) -> bool:
    """Return whether a visitor waits for a person: for one to come, or for the one who came to answer."""
    if conversation.taken_by_id is None:
        return conversation.person_wanted_at is not None
    return last_role == Message.Role.USER


def _with_persons() -> Q:
    """Return the condition of a partial index."""
    return Q(taken_by__isnull=False) | Q(person_wanted_at__isnull=False)


def _waiting() -> Q:
    spoke_last = Q(taken_by__isnull=False, leaf__role=Message.Role.USER)
    return _with_persons() & (spoke_last | Q(taken_by=None, person_wanted_at__isnull=False))


def _unhappy() -> Exists:
    return Exists(Feedback.objects.filter(message__conversation=OuterRef("pk"), visitor__isnull=False, is_good=False))


def waiting_in(widgets: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Return how many visitors wait for a person, by widget; widgets where nobody does are left out."""
    rows = Conversation.objects.filter(_waiting(), widget__in=widgets, deleted_at=None).order_by()
    return dict(rows.values_list("widget").annotate(Count("pk")))


@dataclass(frozen=True, slots=True)
class Waited:
    """A widget at which visitors wait for a person."""

    widget_id: uuid.UUID
    name: str
    team: str
    count: int


def waited(caller: Caller, teams: Sequence[Team]) -> list[Waited]:
    """Return where visitors of these teams wait and the caller may answer, the longest silence first."""
    widgets = access.widgets_for(caller, "answer").filter(team__in=teams)
    rows = Conversation.objects.filter(_waiting(), widget__in=widgets, deleted_at=None)
    counted = rows.values_list("widget", "widget__name", "widget__team__name").annotate(
        Count("pk"), since=Min("last_at")
    )
    return [Waited(*row) for *row, _ in counted.order_by("since", "widget")]


def waiting_for(caller: Caller) -> int:
    """Return how many visitors wait for a person, in everything the caller may answer."""
    return Conversation.objects.filter(
        _waiting(), widget__in=access.widgets_for(caller, "answer"), deleted_at=None
    ).count()


def waiting_for_anyone() -> QuerySet[Conversation]:
    """Return those of whom some may wait."""
    return Conversation.objects.filter(_with_persons())


def around(caller: Caller, widget: Widget) -> dict[str, Any]:
    """Return what the pages of one widget show of its conversations."""
    may_read = access.may_read_visits(caller, widget)
    return {"may_read": may_read, "visit_count": access.visits_of(widget).count() if may_read else 0}


def listing(widget: Widget, *, state: str = "", before: str = "") -> Listing:
    """Return one page of a widget's conversations, the newest word first. `before` is a place a page gave."""
    rows = access.visits_of(widget)
    state = state if state in STATES else ""
    if state == "waiting":
        rows = rows.filter(_waiting())
    elif state == "taken":
        rows = rows.filter(taken_by__isnull=False)
    elif state == "bad":
        rows = rows.filter(_unhappy())
    page = list(_with_ends(behind(rows, before))[: PAGE + 1])
    older = place_of(page[PAGE - 1]) if len(page) > PAGE else ""
    return Listing([_visit(row) for row in page[:PAGE]], older, state)


def _with_ends(rows: QuerySet[Conversation]) -> QuerySet[Conversation]:
    given = Feedback.objects.filter(message__conversation=OuterRef("pk"), visitor__isnull=False).order_by()
    counted = given.values("message__conversation").annotate(n=Count("pk")).values("n")
    return (
        rows.select_related("visitor", "taken_by", "agent")
        .annotate(
            last_role=Subquery(Message.objects.filter(pk=OuterRef("leaf")).values("role")),
            last_status=Subquery(Message.objects.filter(pk=OuterRef("leaf")).values("status")),
            last_text=Subquery(Message.objects.filter(pk=OuterRef("leaf")).values(start=Left("text", _EXCERPT))),
            good=Subquery(counted.filter(is_good=True)),
            bad=Subquery(counted.filter(is_good=False)),
        )
        .order_by("-last_at", "-pk")
    )


def _visit(row: Any) -> Visit:
    text = excerpt(row.last_text) if row.last_role == "assistant" else " ".join(row.last_text.split())
    return Visit(row, row.last_role, row.last_status, text, row.good or 0, row.bad or 0)


def thread_of(conversation: Conversation, *, before: uuid.UUID | None = None) -> Thread:
    """Return the end of a visitor's conversation with what they said of each answer."""
    found = thread(conversation, None, before=before)
    shown = [turn.message.pk for turn in found.turns]
    given = {one.message_id: one for one in Feedback.objects.filter(message__in=shown, visitor__isnull=False)}
    return replace(found, turns=[replace(turn, feedback=given.get(turn.message.pk)) for turn in found.turns])


def messages_of(conversation: Conversation) -> QuerySet[Message]:
    """Return everything that was said, every branch, with whether the visitor found it helpful as `given`."""
    given = Feedback.objects.filter(message=OuterRef("pk"), visitor__isnull=False).values("is_good")
    return Message.objects.filter(conversation=conversation).annotate(given=Subquery(given[:1]))


def state_of(conversation: Conversation) -> str:
    """Return what changes whenever something on the page of a conversation would."""
    ends = Message.objects.filter(pk=conversation.leaf_id) if conversation.leaf_id else Message.objects.none()
    end = ends.values_list("pk", "status", "text", "lease_until").first()
    rated = Feedback.objects.filter(message__conversation=conversation, visitor__isnull=False).aggregate(
        count=Count("pk"), last=Max("given_at")
    )
    pk, status, text, lease = end or (None, "", "", None)
    is_lost = lease is not None and lease < now()
    holder = conversation.taken_by_id, conversation.person_wanted_at
    parts = (pk, status, len(text), is_lost, *holder, rated["count"], rated["last"])
    return uuid.uuid5(uuid.NAMESPACE_OID, repr(parts)).hex
