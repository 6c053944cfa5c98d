"""The lease of a trigger's reader in PostgreSQL: one reader at a time, which must renew it."""

import datetime as dt
import uuid

from django.conf import settings
from django.db.models import Q, QuerySet

from agents_app.models import Reader, Trigger
from console.core.clock import now
from console.core.ids import uuid7


def outside() -> QuerySet[Trigger]:
    """Return the triggers that read a queue outside, and are to."""
    rows = Trigger.objects.filter(kind=Trigger.Kind.QUEUE, is_enabled=True, config__has_key="broker")
    return rows.filter(agent__archived_at=None, agent__team__archived_at=None)


def free() -> list[uuid.UUID]:
    """Return the triggers nobody reads for."""
    is_held = Q(reader__lease_until__gt=now())
    return list(outside().exclude(is_held).order_by("created_at", "id").values_list("pk", flat=True)[:1_000])


def claim(trigger_id: uuid.UUID) -> uuid.UUID | None:
    """Become the reader of a trigger, if nobody is."""
    holder = uuid7()
    Reader.objects.get_or_create(trigger_id=trigger_id)
    is_free = Q(lease_until=None) | Q(lease_until__lte=now())
    claimed = Reader.objects.filter(is_free, trigger=trigger_id)
    return holder if claimed.update(holder=holder, lease_until=_until()) else None


def renew(trigger_id: uuid.UUID, holder: uuid.UUID) -> bool:
    """Stay the reader; not, when somebody else is by now, or the trigger is gone."""
    return bool(Reader.objects.filter(trigger=trigger_id, holder=holder).update(lease_until=_until()))


def release(trigger_id: uuid.UUID, holder: uuid.UUID) -> None:
    Reader.objects.filter(trigger=trigger_id, holder=holder).update(holder=None, lease_until=None)


def _until() -> dt.datetime:
    return now() + dt.timedelta(seconds=settings.AGENT_LEASE_SECONDS)
