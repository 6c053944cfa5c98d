"""What the tests of this room read from the log."""

from console.audit import sql
from console.audit.models import AuditEvent


def lines(action: str = "") -> list[AuditEvent]:
    events = AuditEvent.objects.order_by("id")
    return list(events.filter(action=action) if action else events)


def last() -> AuditEvent:
    return AuditEvent.objects.order_by("-id")[0]


epoch = sql.epoch
