"""Store recent failures of a provider for its page, one row per minute and kind."""

import uuid

from django.db import transaction
from django.db.models import F

from console.catalog.models import Provider, ProviderIncident
from console.catalog.models.providers import CLOSED, OPENED
from console.core.clock import now
from console.core.scrub import scrub
from console.notices.kinds import NoticeKind
from console.notices.services import notify

# Older ones are in the audit log, call by call.
KEPT = 50


def _tell(provider_id: uuid.UUID, code: str, sentence: str) -> None:
    """Have operators told that calls are held back, or no longer: at most once an hour for each, however it flaps."""
    provider = Provider.objects.filter(pk=provider_id, is_enabled=True).first()
    if provider is None:
        return
    is_opened = code == OPENED
    notify(
        NoticeKind.PROVIDER,
        team=None,
        title=f"{provider} keeps failing" if is_opened else f"{provider} answers again",
        text=sentence,
        url=f"/models/providers/{provider.slug}/",
        facts={"type": "provider.failing" if is_opened else "provider.answering", "provider": provider.slug},
        key=f"{provider_id}:{code}:{now():%Y-%m-%dT%H}",
    )


@transaction.atomic
def note_failure(*, provider_id: uuid.UUID, code: str, sentence: str, model: str = "", times: int = 1) -> None:
    """Count a failure at a provider. No audit line and no new epoch: the failed calls have records of their own.

    Callers that fail often may gather a minute's failures and note them at once with `times`.
    """
    moment = now()
    minute = moment.replace(second=0, microsecond=0)
    sentence = scrub(sentence)[0].replace("\0", "")[:500]
    row, is_new = ProviderIncident.objects.get_or_create(
        provider_id=provider_id,
        minute=minute,
        code=code[:60],
        model=model[:200],
        defaults={"sentence": sentence, "last_at": moment, "count": times},
    )
    if not is_new:
        ProviderIncident.objects.filter(pk=row.pk).update(count=F("count") + times, sentence=sentence, last_at=moment)
        return
    of_provider = ProviderIncident.objects.filter(provider_id=provider_id)
    if code in {OPENED, CLOSED}:
        _tell(provider_id, code, sentence)
    oldest_kept = of_provider.order_by("-last_at", "-id").values_list("last_at", flat=True)[KEPT - 1 : KEPT].first()
    if oldest_kept is not None:
        of_provider.filter(last_at__lt=oldest_kept).delete()
