"""Erase the conversations of deleted widgets in small steps."""

from console.chat.models import Conversation, Visitor

_AT_ONCE = 200


def erase_deleted(most: int = _AT_ONCE) -> int:
    """Erase some conversations of deleted widgets, then visitors left without one; return how many went."""
    gone = list(Conversation.objects.filter(widget__deleted_at__isnull=False).values_list("pk", flat=True)[:most])
    Conversation.objects.filter(pk__in=gone).delete()
    if len(gone) < most:
        left = Visitor.objects.filter(widget__deleted_at__isnull=False).values_list("pk", flat=True)[:most]
        Visitor.objects.filter(pk__in=list(left)).delete()
    return len(gone)
