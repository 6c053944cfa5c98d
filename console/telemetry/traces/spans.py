"""One line of the log as a span, by the GenAI semantic conventions.

The ids of a span are those of its record, so that a request's id finds its trace: a record's id is the trace's too,
and its last half that of the span. All that a run of an agent did is one trace, which has the run's id.

What was said is not exported, nor who said it: a collector knows nothing of Facet's roles and retention. What a call
was for is: such labels name parts of the callers' product.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from console.audit.actions import RUN_ENDED
from console.audit.models import AuditEvent, EventType
from console.core.ids import request_id
from console.core.scrub import scrub

_OPERATIONS = {
    EventType.COMPLETION: "text_completion",
    EventType.EMBEDDING: "embeddings",
    EventType.TOOL: "execute_tool",
}
CALLS = (
    *(EventType.CHAT, EventType.COMPLETION, EventType.EMBEDDING, EventType.RESPONSE, EventType.MESSAGE),
    *(EventType.PLAYGROUND, EventType.EVALUATION, EventType.SHADOW, EventType.AGENT, EventType.TOOL),
    EventType.QUESTION,
)
_RUN = re.compile(r"run_([0-9a-f]{32})\Z")

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Names:
    """What a line of the log refers to and does not say: providers' addresses by name, runs' agents by the run's id."""

    hosts: Mapping[str, str]
    agents: Mapping[str, str]


def span_of(event: AuditEvent, names: Names) -> Span:
    """Return the span of a call, of a tool's call or of a run's end."""
    if event.action == RUN_ENDED.name:
        return _run(event, names.agents.get(event.target_id, ""))
    run = _run_of(event)
    parent = None if run else event.trace_parent
    operation = _OPERATIONS.get(EventType(event.type), "chat")
    what = event.target if event.type == EventType.TOOL else event.alias
    span = Span(
        trace_id=run.bytes if run else bytes.fromhex(parent[1]) if parent else event.id.bytes,
        span_id=event.id.bytes[8:],
        parent_span_id=run.bytes[8:] if run else bytes.fromhex(parent[2]) if parent else b"",
        name=_scrubbed(f"{operation} {what}".strip()),
        kind=Span.SPAN_KIND_INTERNAL if event.type == EventType.TOOL else Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=_nanoseconds(event.at),
        end_time_unix_nano=_nanoseconds(event.closed_at or event.at),
        status=_status(event),
    )
    _describe(span, {"gen_ai.operation.name": operation, **_common(event)})
    _describe(span, _of_tool(event) if event.type == EventType.TOOL else _of_model(event, names.hosts))
    return span


def _run_of(event: AuditEvent) -> uuid.UUID | None:
    """Return the run a step belongs to. The engine writes it where other callers write an id of their own."""
    found = _RUN.match(event.client_request_id) if event.surface == "agent" else None
    return uuid.UUID(found[1]) if found else None


def _run(event: AuditEvent, agent: str) -> Span:
    run = uuid.UUID(event.target_id)
    detail = json.loads(event.detail or "{}")
    began = (run.int >> 80) * 1_000_000  # a run's id begins with the millisecond it was made in
    span = Span(
        trace_id=run.bytes,
        span_id=run.bytes[8:],
        name=f"invoke_agent {agent}".strip(),
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=began,
        end_time_unix_nano=max(began, _nanoseconds(event.at)),
        status=_status(event),
    )
    counted = {f"facet.run.{name}": detail[name] for name in ("steps", "model_calls", "tool_calls") if name in detail}
    told = {"gen_ai.operation.name": "invoke_agent", "facet.run.state": detail.get("state", ""), **counted}
    about = {"gen_ai.agent.name": agent, "facet.type": "run"}
    _describe(span, {**told, **_cost(int(detail.get("cost_micros", 0))), **_common(event), **about})
    return span


def _common(event: AuditEvent) -> dict[str, Value]:
    name, _, version = event.agent.partition("@")
    return {
        "gen_ai.agent.name": name,
        "gen_ai.agent.version": version,
        "error.type": "" if event.status == "ok" else event.code or event.status,
        "facet.request_id": request_id(event.id),
        "facet.client_request_id": "" if event.surface == "agent" else event.client_request_id,
        "facet.team": event.team,
        "facet.environment": event.environment,
        "facet.lane": event.lane,
        "facet.type": event.type,
        "facet.surface": event.surface,
        "facet.status": event.status,
        **{_scrubbed(f"facet.metadata.{name}"): value for name, value in (event.metadata or {}).items()},
    }


def _of_tool(event: AuditEvent) -> dict[str, Value]:
    return {"gen_ai.tool.name": event.target, "facet.attempts": event.attempts}


def _of_model(event: AuditEvent, hosts: Mapping[str, str]) -> dict[str, Value]:
    provider, _, model = event.model.partition("/")
    address, port = _address(hosts.get(provider, ""))
    told: dict[str, Value] = {
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": event.alias,
        "gen_ai.request.stream": event.stream,
        "gen_ai.response.model": model,
        "server.address": address,
        "server.port": port,
        "http.response.status_code": event.http_status or 0,
        "facet.prompt": event.prompt,
        "facet.attempts": event.attempts,
        **_cost(event.cost_micros),
    }
    if event.status != "refused":
        told |= {
            "gen_ai.usage.input_tokens": event.prompt_tokens,
            "gen_ai.usage.output_tokens": event.completion_tokens,
        }
        told |= {
            name: count
            for name, count in (
                ("gen_ai.usage.cache_read.input_tokens", event.cached_tokens),
                ("gen_ai.usage.cache_creation.input_tokens", event.by_kind["cache_write_tokens"]),
                ("gen_ai.usage.reasoning.output_tokens", event.reasoning_tokens),
            )
            if count
        }
    if event.first_token_us is not None:
        told["gen_ai.response.time_to_first_chunk"] = event.first_token_us / 1_000_000
    if event.overhead_us is not None:
        told["facet.overhead_seconds"] = event.overhead_us / 1_000_000
    return told


def _cost(micros: int) -> dict[str, Value]:
    return {"facet.cost": micros / 1_000_000, "facet.currency": settings.CURRENCY} if micros else {}


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":")
    return (name.strip("[]"), int(port)) if name and port.isdigit() else (host.strip("[]"), 443 if host else 0)


def _status(event: AuditEvent) -> Status:
    if event.status == "ok":
        return Status()
    return Status(code=Status.STATUS_CODE_ERROR, message=_scrubbed(event.code or event.status))


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000


def _scrubbed(text: str) -> str:
    return scrub(text)[0]


def _describe(span: Span, told: Mapping[str, Value]) -> None:
    """Add attributes. Nothing is said of what is empty; 0 is, where it was counted."""
    for name, value in told.items():
        if value == "" or (name in _EMPTY_AT_0 and not value):
            continue
        span.attributes.append(attribute(name, value))


_EMPTY_AT_0 = frozenset({"server.port", "http.response.status_code", "facet.attempts"})


def attribute(name: str, value: Value) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=name, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=name, value=AnyValue(double_value=value))
    return KeyValue(key=name, value=AnyValue(string_value=_scrubbed(value)))
