"""The figures a scraper gets, who gets which, and that counters never fall."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from console.audit.models import SealState
from console.core import heartbeats
from console.core.clock import now
from console.core.histogram import by_octave, histogram
from console.core.lanes import Lane
from console.notices.models import Delivery, Notice
from console.teams.actors import SYSTEM
from console.telemetry.metrics import installation, text
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from usage_app.models import RollUpState, UsageTotal
from usage_app.services import pruning, quotas

TOKEN = "a-token-of-the-installation-0123456789"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(autouse=True)
def _nothing_kept(settings: Any) -> Iterator[None]:
    settings.METRICS_TOKEN = TOKEN
    text.forget()
    yield
    text.forget()


def scrape(token: str, **headers: str) -> Any:
    text.forget()
    # By whatever name Prometheus knows the process.
    return Client().get("/metrics", headers={"authorization": f"Bearer {token}", **headers}, HTTP_HOST="10.2.3.4:8000")


def samples(token: str = TOKEN) -> dict[tuple[str, ...], float]:
    """Return every sample by name and labels; a second one of the same labels would be an error."""
    found: dict[tuple[str, ...], float] = {}
    for family in plain(scrape(token).text):
        assert family.documentation, family.name
        for sample in family.samples:
            key = (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def of(found: dict[tuple[str, ...], float], name: str, *labels: str) -> list[float]:
    return [value for key, value in found.items() if key[0] == name and set(labels) <= set(key)]


def a_total(team: Any, durations: tuple[int, ...] = (200_000, 3_000_000), **columns: Any) -> UsageTotal:
    fields = {
        "team_id": team.pk,
        "environment": "production",
        "type": "chat",
        "lane": "interactive",
        "alias": "support-chat",
        "model": "fake/model",
        "status": "ok",
        "code": "",
        "requests": len(durations),
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "cost_micros": 1_500_000,
        "latency_us": sum(durations),
        "latency": by_octave(histogram(durations)),
        "first_token": by_octave(histogram([])),
    }
    return UsageTotal.objects.create(**fields | columns)


def test_it_shows_each_reader_what_they_may_see(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    a_total(cast.team_a)
    a_total(cast.team_b)
    operator = make.make_key(cast.team_a, owner=cast.operator, scopes=["installation:manage"])[1]
    blind = make.make_key(cast.team_a, scopes=["models:call"])[1]
    assert Client().get("/metrics").status_code == 401
    for token, status in ((TOKEN + "x", 401), (TOKEN[:-1], 401), (blind, 403)):
        refused = scrape(token)
        assert refused.status_code == status and "team-a" not in refused.text
    assert caplog.text.count("/metrics was refused to") == 1 and "the scope usage:read" in caplog.text
    notice = Notice.objects.create(kind="quota", key="k", team=cast.team_a, title="t", text="t", url="/")
    theirs = Notice.objects.create(kind="quota", key="l", team=cast.team_b, title="t", text="t", url="/")
    long_ago = now() - dt.timedelta(days=2)
    for told, team, ended in (
        (notice, cast.team_a, now()),
        (notice, cast.team_a, long_ago),
        (theirs, cast.team_b, None),
    ):
        state = {"state": "failed", "next_try_at": None, "ended_at": ended} if ended else {}
        Delivery.objects.create(notice=told, channel=make.make_channel(team), way="channel", **state)
    signed_in = client_of(cast.operator)
    assert signed_in.get("/metrics").status_code == 401
    for token in (TOKEN, operator):
        found = samples(token)
        assert of(found, "facet_calls_total", "team=team-a") == of(found, "facet_calls_total", "team=team-b") == [2]
        assert of(found, "facet_info")
        assert [of(found, "facet_alert_deliveries", f"state={state}") for state in ("waiting", "failed")] == [[1], [1]]
    found = samples(cast.kim_text)
    assert [of(found, "facet_alert_deliveries", f"state={state}") for state in ("waiting", "failed")] == [[0], [1]]
    assert of(found, "facet_calls_total") == of(found, "facet_calls_total", "team=team-a") == [2]
    assert not of(found, "facet_info") and not of(found, "facet_process_cpu_seconds_total")


def test_it_tells_calls_limits_and_what_is_under_way(cast: Cast, django_assert_num_queries: Any) -> None:
    a_total(cast.team_a)
    a_total(cast.team_a, (), status="refused", code="quota_exceeded", requests=3, cost_micros=0)
    a_total(cast.team_a, type="tool")  # no call of a model, as on the Overview
    a_total(cast.team_a, alias="fk_live_" + "a" * 40)
    quotas.set_quota(actor=SYSTEM, team=cast.team_a, metric="cost", window="month", limit=12_500_000, mode="hard")
    heartbeats.record("batch")
    found = samples()
    assert of(found, "facet_calls_total", "status=refused", "code=quota_exceeded") == [3]
    assert sum(of(found, "facet_calls_total")) == 7
    assert of(found, "facet_tokens_total", "direction=output", "alias=support-chat") == [50]
    assert of(found, "facet_cost_total", "alias=[redacted]", "currency=USD") == [1.5]
    (timed,) = of(found, "facet_call_duration_seconds_sum")
    assert timed == pytest.approx(6.4)
    assert of(found, "facet_call_duration_seconds_bucket", "le=0.256") == [2]
    assert of(found, "facet_call_duration_seconds_bucket", "le=+Inf") == [4]
    assert of(found, "facet_call_duration_seconds_count") == [4]
    assert of(found, "facet_quota_limit", "team=team-a", "metric=cost", "window=month") == [12.5]
    assert of(found, "facet_calls_in_flight", "lane=interactive") == [0]
    assert of(found, "facet_runs", "state=waiting") == [0]
    assert of(found, "facet_worker_seen_timestamp_seconds", "lane=batch")[0] > now().timestamp() - 60
    assert of(found, "facet_process_resident_memory_bytes")[0] > 1_000_000
    answer = scrape(TOKEN, accept=OPEN_METRICS)
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert {f"{family.name}" for family in open_metrics(answer.text)} >= {"facet_calls", "facet_info"}
    text.forget()
    with django_assert_num_queries(18):
        Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    with django_assert_num_queries(0):
        assert Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_its_counters_never_fall(cast: Cast, settings: Any) -> None:
    """Not when records and hours are forgotten, and not when there are more cuts than series."""
    settings.METRICS_MOST_SERIES = 2
    old = now() - dt.timedelta(days=900)
    rows = [a_total(cast.team_a, alias=f"alias-{number}", since=old) for number in range(4)]
    before = samples()
    assert of(before, "facet_calls_total", "alias=alias-0") == [2]
    assert of(before, "facet_calls_total", "alias=other", "team=other", "lane=interactive") == [4]
    assert of(before, "facet_series_in_other", "of=calls") == [2]
    # The last one is now called most by far; it stays where it is.
    UsageTotal.objects.filter(pk=rows[-1].pk).update(requests=1000)
    pruning.prune()
    after = samples()
    fallen = [key for key, value in before.items() if "_total" in key[0] and after.get(key, -1) < value]
    assert not [key for key in fallen if not key[0].startswith("facet_process")]
    assert of(after, "facet_calls_total", "alias=other") == [1002]


def test_dashboards_and_rules_name_what_exists(cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://collector.example.com:4318"
    monkeypatch.setattr(installation, "queue_lengths", lambda: dict.fromkeys(map(str, Lane), 0))  # no broker here
    make.make_model()
    a_total(cast.team_a, first_token=by_octave(histogram([50_000])))
    quotas.set_quota(actor=SYSTEM, team=cast.team_a, metric="cost", window="month", limit=1, mode="hard")
    for lane in Lane:
        heartbeats.record(lane)
    SealState.objects.update_or_create(pk=1, defaults={"sealed_at": now(), "verified_at": now()})
    RollUpState.objects.get_or_create(pk=1)
    found = samples()
    there = {key[0]: {part.partition("=")[0] for part in key[1:]} for key in found}
    deploy = Path(settings.BASE_DIR) / "deploy"
    dashboard = json.loads((deploy / "grafana/dashboards/facet.json").read_text())
    rules = yaml.safe_load((deploy / "prometheus/facet-rules.yml").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert len(asked) > 40
    for expression in asked:
        for name, conditions in re.findall(r"(facet_\w+)(?:\{([^}]*)\})?", expression):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", conditions))
            assert name in there and labels <= there[name], expression
    documented = (Path(settings.BASE_DIR) / "docs/observability.md").read_text()
    families = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in there}
    lacking = {name for name in families if f"`{name}`" not in documented}
    assert not {name for name in lacking if not name.startswith("facet_process_")}
