"""Remember what went wrong at a provider, for its page: the last errors, one line per minute and kind."""

import uuid

from django.db import transaction
from django.db.models import F

from console.catalog.models import ProviderIncident
from console.core.clock import now
from console.core.scrub import scrub

# Older ones are in the audit log, call by call.
KEPT = 50


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
    oldest_kept = of_provider.order_by("-last_at", "-id").values_list("last_at", flat=True)[KEPT - 1 : KEPT].first()
    if oldest_kept is not None:
        of_provider.filter(last_at__lt=oldest_kept).delete()
