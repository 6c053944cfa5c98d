"""What went wrong at a provider is remembered, in bounds and without secrets."""

import datetime as dt

import pytest

from console.catalog import queries
from console.catalog.models import Provider, ProviderIncident
from console.catalog.models.providers import CLOSED, OPENED
from console.catalog.services import health
from console.core import clock
from tests import make


@pytest.mark.django_db
def test_it_counts_failures_of_a_minute_on_one_line_and_keeps_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = make.make_model().provider
    moment = dt.datetime(2026, 11, 20, 12, 0, 30, tzinfo=dt.UTC)
    monkeypatch.setattr(health, "now", lambda: moment)

    def fail(code: str = "upstream_timeout", times: int = 1) -> None:
        health.note_failure(
            provider_id=provider.pk, code=code, sentence="No answer. sk-proj-" + "a1B2" * 12, model="m", times=times
        )

    fail()
    fail(times=4)
    row = ProviderIncident.objects.get()
    assert (row.count, row.model, row.last_at) == (5, "m", moment)
    assert "sk-proj" not in row.sentence
    fail("upstream_error")
    assert ProviderIncident.objects.count() == 2
    for minutes in range(1, health.KEPT + 5):
        moment = clock.now().replace(2026, 11, 20, 12, 0, 30) + dt.timedelta(minutes=minutes)
        fail()
    assert ProviderIncident.objects.count() == health.KEPT
    assert ProviderIncident.objects.order_by("-last_at").values_list("last_at", flat=True)[0] == moment


@pytest.mark.django_db
def test_an_open_breaker_is_said_and_is_no_failure_of_its_own() -> None:
    provider = make.make_model().provider

    def note(code: str) -> str:
        health.note_failure(provider_id=provider.pk, code=code, sentence="So it is.")
        (row,) = queries.provider_rows(Provider.objects.all())
        assert row.health.label == "1 failure in 15 min"
        return queries.health_of(provider, queries.incidents(provider)).label

    assert note("upstream_error") == "1 failure in 15 min"
    assert note(OPENED) == "Held back: keeps failing"
    assert note(CLOSED) == "1 failure in 15 min"
