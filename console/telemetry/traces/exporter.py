"""Export spans to a collector: OTLP over HTTP, through the one HTTP client."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from console import outbound
from console.core.errors import ProviderError
from console.core.installation import own_version
from console.core.parsing import number
from console.core.scrub import scrub
from console.gateway import sync
from console.telemetry.traces.spans import attribute

PATH = "/v1/traces"
_DEADLINES = outbound.Deadlines(connect=5, silence=15)
_ANSWER_BYTES = 64 * 1024


class NotTaken(Exception):
    """The collector did not take the spans. `is_refusal`: it found fault with them, rather than being in trouble."""

    def __init__(self, why: str, *, is_refusal: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(why)
        self.is_refusal, self.retry_after = is_refusal, retry_after


@dataclass(frozen=True, slots=True)
class Taken:
    """What the collector said: how many of the spans it rejected for good, and why."""

    rejected: int = 0
    why: str = ""


def send(spans: Sequence[Span]) -> Taken:
    """Send spans and return once the collector has them; NotTaken otherwise."""
    told = {"service.name": settings.OTEL_SERVICE_NAME, "service.version": own_version()}
    resource = Resource(attributes=[attribute(name, value) for name, value in told.items()])
    scope = ScopeSpans(scope=InstrumentationScope(name="facet", version=own_version()), spans=spans)
    body = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])])
    try:
        return sync.run(_post(body.SerializeToString()))
    except ProviderError as error:
        raise NotTaken(outbound.sentence(error, "the collector", is_operators=True)) from error


async def _post(body: bytes) -> Taken:
    reply = await outbound.request(
        "POST",
        settings.OTEL_EXPORTER_OTLP_ENDPOINT + PATH,
        headers={"Content-Type": "application/x-protobuf", **settings.OTEL_EXPORTER_OTLP_HEADERS},
        deadlines=_DEADLINES,
        body=body,
    )
    try:
        if not 200 <= reply.status < 300:
            raise NotTaken(
                f"The collector answered {reply.status}.",
                is_refusal=reply.status in {400, 413},
                retry_after=number(reply.retry_after, 0),
            )
        return _read(await reply.read(_ANSWER_BYTES))
    finally:
        reply.close()


def _read(answer: bytes) -> Taken:
    try:
        said = ExportTraceServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return Taken()  # it said 2xx, in words of its own
    return Taken(said.rejected_spans, scrub(said.error_message)[0][:200])
