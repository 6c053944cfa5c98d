"""Convert records of the log to items of a dataset, or refuse with the reason."""

import json
from typing import Any

import orjson

from console.audit.models import AuditEvent, EventType, Payload, Status
from console.core import strict_json
from console.core.errors import BadInput
from console.evals import answers
from console.evals.models import DatasetItem
from console.gateway.operations import OPERATIONS
from console.gateway.shapes import responses
from prompts_app.models import PromptVersion

# What can be replayed, and the operation it is: calls for words. An agent's steps are chat completions.
OPERATION_OF = {
    EventType.AGENT.value: "chat",
    EventType.CHAT.value: "chat",
    EventType.COMPLETION.value: "completion",
    EventType.MESSAGE.value: "message",
    EventType.RESPONSE.value: "response",
}
# Not of the question: which model, how the answer is sent, and what the words came from.
_LEFT_OUT = frozenset(
    {"model", "background", "stream", "stream_options", "knowledge", "metadata", "store", "service_tier"}
)
_OURS_TO_RUN = frozenset({"function", "custom", ""})
_WORKS = frozenset({"mcp_servers", "web_search_options", "container"})


class NotReplayable(Exception):
    """A record that is passed over. `reason` is a key of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


REASONS = {
    "gone": "without content any more",
    "cut": "longer than the log keeps",
    "continued": "going on from a kept response",
    "works": "with tools that the provider runs",
    "shape": "of a shape that cannot be sent again",
    "size": "beyond what one dataset holds",
}


def check_tools(body: dict[str, Any]) -> None:
    """Refuse what lets a provider act by itself; functions only say what they would like to be called."""
    if not _WORKS.isdisjoint(body):
        raise NotReplayable("works")
    _check_each(body.get("tools"))


def _check_each(tools: Any, *, is_inside: bool = False) -> None:
    for tool in tools if isinstance(tools, list) else ():
        kind = tool.get("type", "") if isinstance(tool, dict) else ""
        if kind == "namespace" and not is_inside:
            _check_each(tool.get("tools"), is_inside=True)
        elif not isinstance(kind, str) or kind not in _OURS_TO_RUN:
            raise NotReplayable("works")


class Reader:
    """Reads many records; a version of a prompt is looked up once."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int], tuple[dict[str, Any], int]] = {}

    def item(self, event: AuditEvent, kept: dict[str, Payload]) -> DatasetItem:
        """Return the record as an item without a place; raise NotReplayable."""
        operation = OPERATION_OF[event.type]
        body, given = self.asked(operation, event, kept.get("input"))
        item = DatasetItem(
            operation=operation,
            body=body,
            prompt=given,
            record_id=event.pk,
            recorded_at=event.at,
            alias=event.alias if "/" not in event.alias else "",
            environment=event.environment,
            model=event.model,
            status=event.status,
            prompt_tokens=event.prompt_tokens,
            completion_tokens=event.completion_tokens,
            cost_micros=event.cost_micros,
            latency_us=at_provider(event),
            is_redacted=any(payload.redactions for payload in kept.values()),
        )
        if event.status == Status.OK:
            item.expected, item.tool_calls = _answer_of(item.operation, kept.get("output"))
        return item

    def asked(self, name: str, event: AuditEvent, payload: Payload | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the body of a call of the operation `name`, and what it named of the library; raise NotReplayable.

        Of a chat completion the prompt's words stand first among its messages: `messages` says how many they are.
        """
        operation = OPERATIONS[name]
        body = _object(payload)
        if body.get("previous_response_id") or _names_items(body):
            raise NotReplayable("continued")
        check_tools(body)
        named = body.get("prompt")
        body = {name: value for name, value in body.items() if name not in _LEFT_OUT | operation.withheld}
        given: dict[str, Any] = {}
        if isinstance(named, dict):
            given = self._given(event, named)
            body.pop("prompt")
            if name == "response":
                # A response has no place for messages: its prompt is named, in the version that answered.
                body.pop("messages", None)
                body["prompt"] = {"id": given["slug"], "version": given["number"], "variables": given["variables"]}
        try:
            operation.check({**body, "model": "x"})
        except BadInput:
            raise NotReplayable("shape") from None
        return body, given

    def _given(self, event: AuditEvent, named: dict[str, Any]) -> dict[str, Any]:
        """Return which version of which prompt stood before a call's messages, with what values."""
        try:
            first = json.loads(event.prompt)[0]
            slug, number = str(first["slug"]), int(first["number"])
        except (ValueError, TypeError, LookupError):
            raise NotReplayable("shape") from None
        if (slug, number) not in self._versions:
            rows = PromptVersion.objects.filter(prompt__slug=slug, number=number)
            found = rows.values_list("parameters", "content").first()
            if found is None:
                raise NotReplayable("shape")
            self._versions[slug, number] = found[0], len(found[1])
        parameters, messages = self._versions[slug, number]
        variables = named.get("variables") or {}
        return {
            "slug": slug,
            "number": number,
            "variables": variables if isinstance(variables, dict) else {},
            "parameters": parameters,
            "messages": messages,
        }


def at_provider(event: AuditEvent) -> int | None:
    """Return the time from sending a call to its whole answer: without waiting for a turn, which lanes differ in."""
    if event.latency_us is None:
        return None
    return max(0, event.latency_us - (event.overhead_us or 0))


def _object(payload: Payload | None) -> dict[str, Any]:
    if payload is None:
        raise NotReplayable("gone")
    if payload.is_cut:
        raise NotReplayable("cut")
    try:
        # What a tool of an agent said may hold a NUL, which a request may not, and which a dataset cannot keep.
        body = strict_json.loads(payload.body.encode())[0] if "\\u0000" in payload.body else orjson.loads(payload.body)
    except (orjson.JSONDecodeError, BadInput):
        raise NotReplayable("shape") from None
    if not isinstance(body, dict):
        raise NotReplayable("shape")
    return body


def _names_items(body: dict[str, Any]) -> bool:
    """Return whether a response's input names items that stand elsewhere."""
    items = body.get("input")
    named = (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
    return any(one.get("type") == responses.REFERENCE for one in named)


def _answer_of(operation: str, payload: Payload | None) -> answers.RecordedAnswer:
    if payload is None:
        raise NotReplayable("gone")
    if payload.is_cut:
        raise NotReplayable("cut")
    try:
        return answers.read(operation, payload.body.encode())
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        raise NotReplayable("shape") from None
