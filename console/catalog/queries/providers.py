"""Queries of the pages of providers: their models, pins and health."""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from console.catalog.models import Provider, ProviderIncident
from console.catalog.models.providers import CLOSED, OPENED
from console.core.clock import now
from console.core.formatting import plural

RECENT = dt.timedelta(minutes=15)
_MOST_INCIDENTS = 12


@dataclass(frozen=True, slots=True)
class Health:
    """How a provider is, in a few words. `tone` is ok, warn, bad or empty for what nobody knows."""

    tone: str
    label: str


@dataclass(frozen=True, slots=True)
class ProviderRow:
    provider: Provider
    models: int
    pins: int
    failures: int  # of the last quarter of an hour
    health: Health


def health(provider: Provider, failures: int) -> Health:
    """Return how a provider is; `failures` are those of the last quarter of an hour."""
    if not provider.is_enabled:
        return Health("", "Disabled")
    if failures:
        return Health("warn", f"{plural(failures, 'failure')} in 15 min")
    if provider.was_test_ok is None:
        return Health("", "Not tested")
    return Health("ok", "Answers") if provider.was_test_ok else Health("bad", "Test failed")


def provider_rows(rows: QuerySet[Provider]) -> list[ProviderRow]:
    """Return the providers with how many models they have in use and how many pins point there. One query."""
    recent = (
        ProviderIncident.objects.filter(provider=OuterRef("pk"), last_at__gte=now() - RECENT)
        .exclude(code__in=(OPENED, CLOSED))
        .order_by()
        .values("provider")
        .annotate(n=Sum("count"))
    )
    with_counts = rows.annotate(
        models=Count("model_versions", filter=Q(model_versions__retired_at=None), distinct=True),
        pins=Count("model_versions__pins", distinct=True),
        failures=Coalesce(Subquery(recent.values("n")), 0),
    )
    return [
        ProviderRow(row, row.models, row.pins, row.failures, health(row, row.failures))
        for row in with_counts.order_by("-is_builtin", "name")
    ]


def breakers_open() -> set[uuid.UUID]:
    """Return the providers calls are held back from. A breaker that stays open says so after each probe."""
    lately = ProviderIncident.objects.filter(last_at__gte=now() - RECENT, code__in=(OPENED, CLOSED))
    last: dict[uuid.UUID, str] = dict(lately.order_by("last_at", "id").values_list("provider_id", "code"))
    return {provider_id for provider_id, code in last.items() if code == OPENED}


def incidents(provider: Provider) -> list[ProviderIncident]:
    """Return the last things that went wrong, newest first."""
    return list(provider.incidents.order_by("-last_at", "-id")[:_MOST_INCIDENTS])


def health_of(provider: Provider, lately: list[ProviderIncident]) -> Health:
    """Return how one provider is, from its incidents already read."""
    recent = [row for row in lately if row.last_at >= now() - RECENT]
    state = next((row.code for row in recent if row.code in {OPENED, CLOSED}), CLOSED)
    if state == OPENED and provider.is_enabled:
        return Health("bad", "Held back: keeps failing")
    return health(provider, sum(row.count for row in recent if row.code not in {OPENED, CLOSED}))
