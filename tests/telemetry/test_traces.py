"""Lines of the log at a collector: what they say, that none is lost or skipped, and what does not leave the house."""

import datetime as dt
import json
import uuid
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from console import outbound
from console.audit.actions import RUN_ENDED
from console.audit.services.records import record
from console.core.clock import now
from console.core.ids import request_id
from console.outbound import errors
from console.teams.actors import SYSTEM
from console.telemetry import queries
from console.telemetry.models import TraceExport
from console.telemetry.traces import export, reader, spans
from console.telemetry.traces.reader import Place
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_call


class Collector:
    """What stands where the network is: takes what it is sent, or answers what it was told to."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.requests: list[dict[str, Any]] = []
        self.batches: list[list[Any]] = []
        self.said = ExportTraceServiceResponse()
        self.retry_after = ""
        self.refused = b""

    async def request(self, method: str, url: str, *, body: bytes, **others: Any) -> Any:
        self.status = self.answers.pop(0) if self.answers else 200
        if self.status <= 0:
            raise errors.refused() if self.status == 0 else errors.bad_tls()
        self.requests.append({"method": method, "url": url, **others})
        (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
        spans = [span for scope in resource.scope_spans for span in scope.spans]
        if self.refused in {span.span_id for span in spans} or self.refused == b"all":
            self.status = 400
        if self.status == 200 and spans:
            self.resource = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.batches.append(spans)
        return self

    async def read(self, limit: int) -> bytes:
        return self.said.SerializeToString()

    def close(self) -> None:
        pass

    @property
    def spans(self) -> list[Any]:
        return [span for batch in self.batches for span in batch]


@pytest.fixture
def collector(cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """A collector, and a log whose every line is old enough to be read, though it is this transaction's own."""
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = "http://collector.example.com:4318"
    settings.OTEL_EXPORTER_OTLP_HEADERS = {"x-api-key": "planted-for-the-collector"}
    found = Collector()
    monkeypatch.setattr(outbound, "request", found.request)
    monkeypatch.setattr(reader.log, "horizon", lambda: (1 << 62, now()))
    start = uuid.UUID(int=0)
    TraceExport.objects.create(pk=1, next_tx=_own_tx(), after_id=start)
    return found


def _own_tx() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_tx()")
        return int(cursor.fetchone()[0])


def _again() -> int:
    TraceExport.objects.update(not_before=None)
    return export.export()


def _later(cast: Cast, calls: list[uuid.UUID]) -> uuid.UUID:
    """Add a call after those there are, in the transaction of the test, which the export takes for unread again."""
    TraceExport.objects.filter(next_tx=1 << 62).update(next_tx=_own_tx(), after_id=max(calls))
    calls.append(a_call(cast.team_a, at=now() + dt.timedelta(seconds=len(calls))))
    return calls[-1]


def told(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_it_tells_calls_tools_and_runs_in_genai_conventions(cast: Cast, collector: Collector) -> None:
    model = make.make_model()
    run = make.make_run(make.make_agent(cast.team_a), cast.alice)
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    planted = "sk-proj-CANARYCANARYCANARYCANARY1234"
    begun = now() - dt.timedelta(seconds=2)
    call = a_call(
        cast.team_a,
        at=begun,
        closed_at=begun + dt.timedelta(seconds=1.5),
        model=f"{model.provider.slug}/the-model",
        cached_tokens=7,
        token_kinds='{"cache_write_tokens":9}',
        actor="Alice Adams",
        client_address="192.0.2.7",
        alias=f"support {planted}",
        client_request_id=parent,
        http_status=200,
        metadata=json.dumps({"project": "returns", "key": planted}),
    )
    failed = a_call(
        cast.team_a,
        type="embedding",
        status="error",
        code="upstream_busy",
        client_request_id="mine",
        detail=json.dumps({"traceparent": parent.replace("00f067aa", "11f067aa")}),
    )
    step = {"surface": "agent", "client_request_id": run.public_id, "agent": "watcher@3"}
    tool = a_call(cast.team_a, type="tool", target_type="tool", target="read_logs", **step)
    asked = a_call(cast.team_a, type="agent", **step)
    posing = a_call(cast.team_a, client_request_id=run.public_id)  # a client's own word for its request
    a_call(cast.team_a, type="models")
    detail = {"state": "succeeded", "steps": 2, "model_calls": 1, "tool_calls": 1, "cost_micros": 1000}
    record(RUN_ENDED, actor=SYSTEM, target=run, team=cast.team_a, detail=detail, status="ok", surface="agent")
    assert export.export() == 6
    (request,) = collector.requests
    assert (request["method"], request["url"]) == ("POST", "http://collector.example.com:4318/v1/traces")
    assert request["headers"] == {"Content-Type": "application/x-protobuf", "x-api-key": "planted-for-the-collector"}
    assert collector.resource["service.name"] == "facet"
    spans = {span.span_id: span for span in collector.spans}
    said = spans[call.bytes[8:]]
    assert (said.trace_id.hex(), said.parent_span_id.hex()) == (parent[3:35], parent[36:52])
    assert said.end_time_unix_nano - said.start_time_unix_nano == 1_500_000_000
    assert said.status.code == 0 and said.kind == said.SPAN_KIND_CLIENT
    assert told(said) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider.slug,
        "gen_ai.request.model": "support [redacted]",
        "gen_ai.response.model": "the-model",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 7,
        "gen_ai.usage.cache_creation.input_tokens": 9,
        "gen_ai.response.time_to_first_chunk": 0.05,
        "server.address": model.provider.host.partition(":")[0],
        "http.response.status_code": 200,
        "facet.request_id": request_id(call),
        "facet.cost": 0.001,
        "facet.metadata.project": "returns",
        "facet.metadata.key": "[redacted]",
    } == told(said)
    broken = spans[failed.bytes[8:]]
    assert (broken.trace_id.hex(), broken.parent_span_id.hex()) == (parent[3:35], "11f067aa0ba902b7")
    assert told(broken)["facet.client_request_id"] == "mine"
    assert (broken.name, broken.status.code) == ("embeddings support-chat", broken.status.STATUS_CODE_ERROR)
    assert told(broken)["error.type"] == "upstream_busy"
    root = spans[run.pk.bytes[8:]]
    assert (root.trace_id, root.parent_span_id) == (run.pk.bytes, b"")
    assert (root.name, told(root)["gen_ai.agent.name"]) == (f"invoke_agent {run.agent.slug}", run.agent.slug)
    assert told(root)["facet.run.state"] == "succeeded" and told(root)["facet.run.steps"] == 2
    for identifier, name in ((tool, "execute_tool read_logs"), (asked, "chat support-chat")):
        child = spans[identifier.bytes[8:]]
        assert (child.name, child.trace_id, child.parent_span_id) == (name, root.trace_id, root.span_id)
        assert told(child)["gen_ai.agent.name"] == "watcher"
    assert spans[posing.bytes[8:]].trace_id == posing.bytes
    everything = " ".join(str(span) for span in collector.spans)
    assert not [word for word in (planted, "Alice", "192.0.2.7", "support [redacted] [") if word in everything]


def test_it_loses_none_and_skips_none(
    cast: Cast, collector: Collector, settings: Any, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setattr(export, "BATCH", 4)
    calls = [a_call(cast.team_a) for _ in range(10)]
    collector.answers = [200, 503]
    assert export.export() == 4  # the second batch was not taken
    state = TraceExport.objects.get()
    assert (state.failures, state.problem) == (1, "The collector answered 503.")
    assert state.not_before is not None and state.not_before > now() and state.claimed_until is None
    assert export.export() == 0 and len(collector.batches) == 1  # it pauses
    collector.answers = [-1, 0]
    assert _again() == 0
    problem = TraceExport.objects.get().problem
    assert problem.startswith("The collector's TLS certificate is not valid.") and "SSL_CERT_FILE" in problem
    assert _again() == 0
    assert "PRIVATE_NETWORKS_ALLOWED" in TraceExport.objects.get().problem
    client = client_of(cast.operator)
    way = next(way for way in queries.ways() if way.name == "Traces")
    assert (way.state, way.where) == ("Failing", "collector.example.com:4318")
    said = client.get("/api/observability/").json()["traces"]
    assert (said["state"], said["failures"]) == ("failing", 3) and "PRIVATE" in said["problem"]
    assert _again() == 6
    assert [len(batch) for batch in collector.batches] == [4, 1, 4, 1]  # small after failures, then as before
    assert {span.span_id for span in collector.spans} == {call.bytes[8:] for call in calls}
    assert len(collector.spans) == 10
    said = client.get("/api/observability/").json()["traces"]
    assert (said["state"], said["exported"], said["dropped"], said["problem"]) == ("ok", 10, 0, "")
    # One that is refused again and again is found among others, and left out; those around it are not.
    before, bad, *after = [_later(cast, calls) for _ in range(4)]
    collector.refused, collector.batches = bad.bytes[8:], []
    assert _again() == 1 and [span.span_id for span in collector.spans] == [before.bytes[8:]]
    assert _again() == 0 and TraceExport.objects.get().failures == 2
    collector.refused = b"all"
    assert _again() == 0 and TraceExport.objects.get().dropped == 0, "where all is refused no span is to blame"
    collector.refused = bad.bytes[8:]
    with caplog.at_level("WARNING", logger=export.__name__):
        assert _again() == 2
    assert f"refuses the span of {bad} for good" in caplog.text
    assert {span.span_id for span in collector.spans} == {call.bytes[8:] for call in (before, *after)}
    state = TraceExport.objects.get()
    assert (state.dropped, state.failures, state.not_before) == (1, 0, None)
    # Whatever it says to others, half an hour is enough.
    worse, collector.refused = _later(cast, calls), b"all"
    TraceExport.objects.update(failures=export._PATIENCE)
    late = _later(cast, calls)
    assert _again() == 0 and TraceExport.objects.get().dropped == 2, "one, and then it pauses"
    collector.refused = b""
    assert _again() == 1 and collector.spans[-1].span_id == late.bytes[8:]
    TraceExport.objects.update(dropped=1)
    assert worse.bytes[8:] not in {span.span_id for span in collector.spans}
    # So is a line no span can be made of.
    with monkeypatch.context() as broken:
        broken.setattr(spans, "_status", lambda event: 1 / 0)
        _later(cast, calls)
        assert _again() == 0
    assert TraceExport.objects.get().dropped == 2
    # What a collector takes in part is not sent again.
    collector.said.partial_success.rejected_spans = 1
    collector.said.partial_success.error_message = "too old"
    _later(cast, calls)
    assert _again() == 0
    state = TraceExport.objects.get()
    assert (state.dropped, state.problem) == (3, "It rejected 1 spans. too old")
    # Whoever lost the claim moves nothing.
    TraceExport.objects.update(claimed_until=now() + dt.timedelta(seconds=60))
    _later(cast, calls)
    assert export.export() == 0
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = ""
    assert client.get("/api/observability/").json()["traces"]["state"] == "off"


def test_it_begins_with_what_happens_from_then_on(cast: Cast, collector: Collector) -> None:
    a_call(cast.team_a)
    TraceExport.objects.update(looked_at=now() - dt.timedelta(days=8))
    assert export.export() == 0 and not collector.requests
    assert TraceExport.objects.get().next_tx == 1 << 62
    TraceExport.objects.all().delete()
    assert export.export() == 0 and not collector.requests
    assert reader.read(Place(1 << 62), 10).is_last
