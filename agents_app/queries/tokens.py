"""The valid bearer tokens of webhooks."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from agents_app.models import Trigger, TriggerToken
from console.core.clock import now


def live_of(triggers: Iterable[Trigger]) -> QuerySet[TriggerToken]:
    """Return the tokens of these that are good now, newest first: one each, while it is replaced more."""
    is_good = Q(expires_at=None) | Q(expires_at__gt=now())
    return TriggerToken.objects.filter(is_good, trigger__in=list(triggers), revoked_at=None)


def live(trigger: Trigger) -> QuerySet[TriggerToken]:
    return live_of([trigger])
