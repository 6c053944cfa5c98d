"""Chat completions."""

from typing import Any

from console.catalog.shapes import PinShape, VersionShape
from console.core.errors import BadInput
from console.gateway.operations.lengths import at_most, most_output
from console.gateway.operations.types import NO_TOOLS, Fitted, ReadAnswer
from console.gateway.operations.vision import check_sees, prompt_tokens
from console.gateway.shapes import chat
from console.gateway.sources import SourcedStream, with_sources
from console.gateway.types import Ask
from console.providers.registry import CHATS
from console.providers.types import Endpoint, Outgoing, StreamReader

# What not every model that chats can do.
_NEED_MORE = frozenset({"tools", "functions", "response_format"})


class Chat:
    known_fields, withheld = chat.KNOWN, chat.WITHHELD

    def check(self, value: Any) -> dict[str, Any]:
        return chat.check(value)

    def check_fit(self, version: VersionShape, ask: Ask) -> None:
        able, body = version.capabilities, ask.body
        if "chat" not in able or version.provider.kind not in CHATS:
            raise BadInput(f"The model behind {ask.model!r} does not chat.", param="model")
        check_sees(version, ask, "messages", body.get("messages", ()))
        if body.keys().isdisjoint(_NEED_MORE):
            return
        if (body.get("tools") or body.get("functions")) and "tools" not in able:
            raise BadInput(NO_TOOLS.format(ask.model), param="tools")
        format = body.get("response_format")
        kind = format.get("type") if isinstance(format, dict) else None
        if kind in {"json_object", "json_schema"} and "json_schema" not in able:
            raise BadInput(f"The model behind {ask.model!r} cannot promise {kind}.", param="response_format.type")

    def dropped_fields(self, version: VersionShape, ask: Ask) -> frozenset[str]:
        return CHATS[version.provider.kind].dropped_fields(ask.body)

    def beyond_tokens(self, ask: Ask) -> str:
        return "web_search_options" if ask.body.get("web_search_options") is not None else ""

    def fit(self, ask: Ask, pin: PinShape, default_output: int) -> Fitted:
        under = at_most(ask.prompt.parameters, pin) if ask.prompt else {}
        body = {**under, **pin.default_parameters, **ask.body, "model": pin.version.name}
        maximum = body.get("max_completion_tokens") or body.get("max_tokens")
        most = min(maximum or default_output, most_output(pin))
        if ask.agent is not None and ask.agent.most_output is not None:
            most = min(most, ask.agent.most_output)
        if body.get("max_completion_tokens"):
            body["max_completion_tokens"] = most
            body.pop("max_tokens", None)
        elif "reasoning" in pin.version.capabilities and not body.get("max_tokens"):
            body["max_completion_tokens"] = most
        else:
            body["max_tokens"] = most
        return Fitted(body, most * (body.get("n") or 1))

    def prompt_tokens(self, ask: Ask) -> int:
        return prompt_tokens(ask, ask.body.get("messages", ()))

    def outgoing(self, version: VersionShape, endpoint: Endpoint, body: dict[str, Any], ask: Ask) -> Outgoing:
        return CHATS[version.provider.kind].chat(endpoint, body, is_legacy=ask.is_legacy)

    def read(self, kind: str, raw: bytes, ask: Ask) -> ReadAnswer:
        body, usage = CHATS[kind].read(raw, is_legacy=ask.is_legacy)
        if ask.knowledge is not None:
            body = with_sources(body, ask.knowledge)
        return ReadAnswer(body, usage, body.decode("utf-8", "replace"))

    def reader(self, kind: str, ask: Ask) -> StreamReader:
        reader = CHATS[kind].reader(
            choices=ask.body.get("n") or 1, include_usage=ask.include_usage, is_legacy=ask.is_legacy
        )
        return reader if ask.knowledge is None else SourcedStream(reader, ask.knowledge)
