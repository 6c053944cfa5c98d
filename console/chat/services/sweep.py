"""End answers whose process died. Their text is kept, and the message says so."""

from django.db.models import QuerySet

from console.chat import error_text
from console.chat.models import Conversation, Message
from console.core.clock import now


def sweep_lost(conversation: Conversation | None = None) -> int:
    """End what nobody writes any more, everywhere or in one conversation; return how many."""
    lost: QuerySet[Message] = Message.objects.filter(status=Message.Status.WRITING, lease_until__lt=now())
    if conversation is not None:
        lost = lost.filter(conversation=conversation)
    return lost.update(
        status=Message.Status.INTERRUPTED, trouble=error_text.INTERRUPTED, lease_until=None, ended_at=now()
    )
