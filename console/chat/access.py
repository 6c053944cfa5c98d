"""The only way to get a conversation, or a widget, for somebody.

A person's conversation is its owner's, as long as they belong to its team. Once shared, the members of its team read
along, and only read. To everybody else it looks like no conversation at all, operators included: what people write is
theirs. What visitors of a widget write is for its team.
"""

import datetime as dt
import uuid
from collections.abc import Collection

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

from agents_app.access import agents_for
from agents_app.models import Agent, Audience
from console.audit.models import AuditEvent
from console.chat.errors import UnknownConversation, UnknownWidget
from console.chat.models import Conversation, Message, Widget
from console.core.ids import uuid7_at
from console.core.sql import get_or_raise
from console.teams.access import denied, teams_for
from console.teams.callers import Caller
from console.teams.models import Team
from console.teams.rights import teams_of_people

_NEAR = dt.timedelta(hours=1)


def conversations_for(caller: Caller) -> QuerySet[Conversation]:
    """Return the conversations a person may read: their own, and those shared with their teams."""
    if caller.user is None:
        return Conversation.objects.none()
    mine = Q(owner=caller.user) | Q(shared_at__isnull=False, owner__isnull=False)
    return Conversation.objects.filter(mine, deleted_at=None, team__in=teams_for(caller))


def conversation_for(caller: Caller, conversation_id: uuid.UUID, to: str = "read") -> Conversation:
    """Return the conversation, 404 for those who may not read it, 403 for readers who want to change it."""
    rows = conversations_for(caller).select_related("agent__live", "agent__team", "team", "owner")
    found = get_or_raise(rows.filter(pk=conversation_id), UnknownConversation)
    if to == "change" and found.owner_id != (caller.user and caller.user.pk):
        raise PermissionDenied(f"This is {found.owner}'s conversation. You may read it, and start one of your own.")
    return found


def message_for(caller: Caller, message_id: uuid.UUID, to: str = "read") -> Message:
    """Return a message of a conversation the caller may read or change."""
    found = get_or_raise(Message.objects.filter(pk=message_id), UnknownConversation)
    found.conversation = conversation_for(caller, found.conversation_id, to=to)
    return found


def of_record(caller: Caller, event: AuditEvent) -> Conversation:
    """Return the conversation a call in the log answered in: the caller's own, or of a widget whose visitors they read.

    Messages have no index by their call. The answer was begun just before it, and ids say when they were made.
    """
    near = Q(pk__gte=uuid7_at(event.at - _NEAR), pk__lte=uuid7_at(event.at + _NEAR, last=True))
    rows = Message.objects.select_related("conversation").filter(near, request_id=event.pk)
    found = get_or_raise(rows, UnknownConversation).conversation
    if found.widget_id is not None:
        return visit_for(caller, found.widget_id, found.pk)
    return conversation_for(caller, found.pk)


def agents_to_talk_to(caller: Caller) -> QuerySet[Agent]:
    """Return the assistants one may start a conversation with. Those with tools work as runs, on pages of their own."""
    return agents_for(caller, "use").filter(live__grants=[]).select_related("live", "team")


def has_agents_that_run(caller: Caller) -> bool:
    """Return whether there are agents with tools for somebody, who then reads where to find them."""
    return agents_for(caller, "use").exclude(live__grants=[]).exists()


def team_for_agent(caller: Caller, agent: Agent) -> Team:
    """Return the team for which a person talks to an agent: the agent's own, else one of theirs it is shared with."""
    if caller.may("use_models", agent.team_id):
        return agent.team
    teams = teams_for(caller, "use_models")
    if agent.audience == Audience.TEAMS:
        teams = teams.filter(pk__in=agent.shared_with.values("pk"))
    found = teams.order_by("name").first()
    if found is None:
        raise PermissionDenied("None of your teams may use this assistant any more.")
    return found


def who_may_read(pairs: Collection[tuple[uuid.UUID, uuid.UUID]]) -> set[tuple[uuid.UUID, uuid.UUID]]:
    """Return those of (person, conversation) that `conversations_for` would open now, in four questions for all."""
    teams_of = teams_of_people({user_id for user_id, _ in pairs}, "view_team")
    asked = Conversation.objects.filter(pk__in={pk for _, pk in pairs}, deleted_at=None, team__archived_at=None)
    rows = {pk: rest for pk, *rest in asked.values_list("pk", "team_id", "owner_id", "shared_at")}

    def may_read(user_id: uuid.UUID, conversation_id: uuid.UUID) -> bool:
        if conversation_id not in rows or user_id not in teams_of:
            return False
        team_id, owner_id, shared_at = rows[conversation_id]
        mine = owner_id == user_id or (shared_at is not None and owner_id is not None)
        teams = teams_of[user_id]
        return mine and (teams is None or team_id in teams)

    return {pair for pair in pairs if may_read(*pair)}


# Widgets and who comes through them. Builders make them; everybody of the team who may ask an assistant may also answer
# for one. What visitors say is the team's, and read by those who read content too.
_RIGHTS = {
    "view": ("view_team",),
    "edit": ("build",),
    "answer": ("use_models",),
    "read": ("use_models", "read_content"),
}


def _opens(caller: Caller, to: str) -> tuple[str, ...]:
    """Return the rights of which one is enough. What was said is content to a program, as in the log."""
    return ("read_content",) if to == "read" and caller.user is None else _RIGHTS[to]


def widgets_for(caller: Caller, to: str = "view") -> QuerySet[Widget]:
    """Return the widgets the caller may view, edit, or whose visitors they may read or answer."""
    widgets = Widget.objects.filter(deleted_at=None, team__archived_at=None)
    if caller.is_operator:
        return widgets if any(caller.may(right) for right in _opens(caller, to)) else widgets.none()
    return widgets.filter(
        team__in=[team_id for team_id, rights in caller.rights.items() if rights & {*_opens(caller, to)}]
    )


def widget_for(caller: Caller, widget_id: uuid.UUID, to: str = "view") -> Widget:
    """Return the widget, 404 for those who cannot see it, 403 for those who may not do `to` with it."""
    found = get_or_raise(
        widgets_for(caller).select_related("team", "agent__live", "agent__team").filter(pk=widget_id), UnknownWidget
    )
    if not any(caller.may(right, found.team_id) for right in _opens(caller, to)):
        raise denied(found.team)
    return found


def may_read_visits(caller: Caller, widget: Widget) -> bool:
    return any(caller.may(right, widget.team_id) for right in _opens(caller, "read"))


def visits_of(widget: Widget) -> QuerySet[Conversation]:
    """Return the conversations of a widget's visitors in which something was said."""
    return Conversation.objects.filter(widget=widget, leaf__isnull=False, deleted_at=None)


def visit_for(caller: Caller, widget_id: uuid.UUID, conversation_id: uuid.UUID, to: str = "read") -> Conversation:
    """Return a visitor's conversation of a widget whose visitors the caller may read, or answer."""
    widget = widget_for(caller, widget_id, to=to)
    rows = visits_of(widget).select_related("agent__live", "agent__team", "team", "visitor", "taken_by")
    found = get_or_raise(rows.filter(pk=conversation_id), UnknownConversation)
    found.widget = widget
    return found
