"""The only way to get a conversation, or a widget, for somebody.

A person's conversation is its owner's, as long as they belong to its team. Once shared, the members of its team read
along, and only read. To everybody else it looks like no conversation at all, operators included: what people write is
theirs. What visitors of a widget write is for its team.
"""

import uuid

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

from agents_app.access import agents_for
from agents_app.models import Agent, Audience
from console.chat.errors import UnknownConversation, UnknownWidget
from console.chat.models import Conversation, Message, Widget
from console.teams.access import teams_for
from console.teams.callers import Caller
from console.teams.models import Team, User
from console.teams.rights import must_set_up_two_factor, rights_of


def conversations_for(caller: Caller) -> QuerySet[Conversation]:
    """Return the conversations a person may read: their own, and those shared with their teams."""
    if caller.user is None:
        return Conversation.objects.none()
    mine = Q(owner=caller.user) | Q(shared_at__isnull=False, owner__isnull=False)
    return Conversation.objects.filter(mine, deleted_at=None, team__in=teams_for(caller))


def conversation_for(caller: Caller, conversation_id: uuid.UUID, to: str = "read") -> Conversation:
    """Return the conversation, 404 for those who may not read it, 403 for readers who want to change it."""
    rows = conversations_for(caller).select_related("agent__live", "agent__team", "team", "owner")
    found = rows.filter(pk=conversation_id).first()
    if found is None:
        raise UnknownConversation
    if to == "change" and found.owner_id != (caller.user and caller.user.pk):
        raise PermissionDenied(f"This is {found.owner}'s conversation. You may read it, and start one of your own.")
    return found


def message_for(caller: Caller, message_id: uuid.UUID, to: str = "read") -> Message:
    """Return a message of a conversation the caller may read or change."""
    found = Message.objects.filter(pk=message_id).first()
    if found is None:
        raise UnknownConversation
    found.conversation = conversation_for(caller, found.conversation_id, to=to)
    return found


def agents_to_talk_to(caller: Caller) -> QuerySet[Agent]:
    """Return the assistants a person may start a conversation with."""
    return agents_for(caller, "use").select_related("live", "team")


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


def present(caller: Caller) -> Caller | None:
    """Return a person's Caller with the rights they have now, None when they may not come in any more."""
    user = User.objects.filter(pk=caller.user.pk, is_active=True).first() if caller.user else None
    if user is None or must_set_up_two_factor(user):
        return None
    return Caller(
        actor=caller.actor, user=user, is_operator=user.is_operator, rights={} if user.is_operator else rights_of(user)
    )


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
    found = widgets_for(caller).select_related("team", "agent__live", "agent__team").filter(pk=widget_id).first()
    if found is None:
        raise UnknownWidget
    if not any(caller.may(right, found.team_id) for right in _opens(caller, to)):
        raise PermissionDenied(f"Your role in {found.team} does not allow that. An owner of the team can change it.")
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
    found = rows.filter(pk=conversation_id).first()
    if found is None:
        raise UnknownConversation
    found.widget = widget
    return found
