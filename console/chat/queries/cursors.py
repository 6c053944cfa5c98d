"""Cursors of lists of conversations, newest first: a time, and an id to break ties."""

from django.db.models import Q, QuerySet

from console.chat.models import Conversation
from console.core import parsing
from console.core.ids import parse_id


def place_of(conversation: Conversation) -> str:
    """Return the place behind a conversation, as an address has it."""
    return f"{conversation.last_at.isoformat()}_{conversation.pk.hex}"


def behind(rows: QuerySet[Conversation], place: str) -> QuerySet[Conversation]:
    """Return the rows that come behind a place; all of them where there is none."""
    at, _, id = place.partition("_")
    moment, last = parsing.moment(at), parse_id(id)
    if moment is None or last is None:
        return rows
    # The first bound is what an index is read by.
    return rows.filter(Q(last_at__lt=moment) | Q(pk__lt=last), last_at__lte=moment)
