"""The only way to get an object for a visitor: the widget of their site, and their own conversations."""

import uuid

from django.http import HttpRequest

from console.chat.embed import origins, tokens
from console.chat.embed.errors import IdentityNeeded, TokenRefused, WidgetOff
from console.chat.embed.tokens import Pass
from console.chat.errors import UnknownConversation
from console.chat.models import Conversation, Message, Visitor, Widget


def known_widget(public_id: str) -> Widget | None:
    """Return a widget, on or off, None when there is none (any more)."""
    if "\x00" in public_id:
        return None
    rows = Widget.objects.select_related("agent__live", "team")
    return rows.filter(public_id=public_id, deleted_at=None, team__archived_at=None).first()


def widget_for(public_id: str) -> Widget:
    """Return a widget that answers somebody; off, deleted, without a site and never there look the same."""
    found = known_widget(public_id)
    if found is None or not found.is_enabled or not found.origins:
        raise WidgetOff
    return found


def pass_for(request: HttpRequest, widget: Widget) -> Pass:
    """Return who the request's token names. It is refused from any page but our own frame."""
    if not origins.is_ours(request):
        raise WidgetOff
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token_pass = tokens.read(token.strip(), widget=widget) if scheme.lower() == "bearer" else None
    if token_pass is None:
        raise TokenRefused
    if widget.needs_identity and not token_pass.identity:
        raise IdentityNeeded
    return token_pass


def visitor_of(widget: Widget, token_pass: Pass) -> Visitor | None:
    """Return the visitor a token names, None while they have said nothing. Whoever a site vouches for has one row."""
    visitors = Visitor.objects.filter(widget=widget)
    if token_pass.identity:
        return visitors.filter(identity=token_pass.identity).first()
    return visitors.filter(pk=token_pass.visitor, identity="").first()


def conversation_of(widget: Widget, token_pass: Pass) -> Conversation | None:
    """Return the visitor's conversation, the newest one there is."""
    visitor = visitor_of(widget, token_pass)
    if visitor is None:
        return None
    rows = Conversation.objects.select_related("agent__live", "agent__team", "team", "visitor", "taken_by")
    return rows.filter(visitor=visitor, widget=widget, deleted_at=None).order_by("-created_at", "-id").first()


def message_of(widget: Widget, token_pass: Pass, message_id: uuid.UUID) -> Message:
    """Return a message of the visitor's own conversation; anybody else's looks like none."""
    conversation = conversation_of(widget, token_pass)
    found = Message.objects.filter(pk=message_id, conversation=conversation).first() if conversation else None
    if found is None or conversation is None:
        raise UnknownConversation
    found.conversation = conversation
    return found
