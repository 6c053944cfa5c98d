"""Anthropic's messages.

A provider that speaks them gets and gives them as they are, so nothing is lost between two that understand each other.
Any other is asked for a chat completion, and its answer is told as a message.
"""

from typing import Any

import orjson

from console.catalog.shapes import PinShape, VersionShape
from console.core.errors import BadInput
from console.gateway.messages.answer import message_of
from console.gateway.messages.dropped_fields import dropped_fields
from console.gateway.messages.names import full_names
from console.gateway.messages.request import chat_request
from console.gateway.messages.stream import MessageStream
from console.gateway.operations.lengths import at_most, most_output
from console.gateway.operations.types import NO_TOOLS, Fitted, ReadAnswer
from console.gateway.operations.vision import check_sees, prompt_tokens
from console.gateway.shapes import messages
from console.gateway.sources import SourcedStream, with_sources
from console.gateway.types import Ask
from console.providers.registry import CHATS, MESSAGES
from console.providers.types import Endpoint, Outgoing, StreamReader

BETA = "anthropic-beta"
_LEAST_BUDGET = 1024
# Tools that the provider runs, and has paid by the search or the hour.
_PAID_BESIDES = ("web_search_", "web_fetch_", "code_execution_")
# Of the parameters of pins and prompts, which are written for chat completions, those that mean the same in a message.
_SHARED = frozenset({"temperature", "top_p", "top_k"})


class Message:
    known_fields, withheld = messages.KNOWN, messages.WITHHELD

    def check(self, value: Any) -> dict[str, Any]:
        return messages.check(value)

    def check_fit(self, version: VersionShape, ask: Ask) -> None:
        able, kind, body = version.capabilities, version.provider.kind, ask.body
        if "chat" not in able or (kind not in MESSAGES and kind not in CHATS):
            raise BadInput(f"The model behind {ask.model!r} does not chat.", param="model")
        check_sees(version, ask, "messages", body["messages"])
        if body.get("tools") and "tools" not in able:
            raise BadInput(NO_TOOLS.format(ask.model), param="tools")
        if (body.get("output_config") or {}).get("format") and "json_schema" not in able:
            raise BadInput(f"The model behind {ask.model!r} cannot answer by a schema.", param="output_config.format")

    def dropped_fields(self, version: VersionShape, ask: Ask) -> frozenset[str]:
        kind = version.provider.kind
        if kind in MESSAGES:
            if not ask.betas:
                return frozenset()
            return frozenset(f"{BETA}.{name}" for name in set(ask.betas).difference(_switched_on(version, ask)))
        return dropped_fields(ask.body, can_reason="reasoning" in version.capabilities)

    def beyond_tokens(self, ask: Ask) -> str:
        for place, tool in enumerate(ask.body.get("tools") or ()):
            if str(tool.get("type")).startswith(_PAID_BESIDES):
                return f"tools[{place}]"
        return "inference_geo" if ask.body.get("inference_geo") not in (None, "global") else ""

    def fit(self, ask: Ask, pin: PinShape, default_output: int) -> Fitted:
        version, body = pin.version, ask.body
        most = min(body["max_tokens"], most_output(pin))
        if ask.agent is not None and ask.agent.most_output is not None:
            most = min(most, ask.agent.most_output)
        under = at_most(ask.prompt.parameters, pin) if ask.prompt else {}
        under |= pin.default_parameters
        if version.provider.kind in MESSAGES:
            defaults = {k: v for k, v in under.items() if k in _SHARED}
            return Fitted({**defaults, **_shorter(body, most), "model": version.name, "max_tokens": most}, most)
        can_reason = "reasoning" in version.capabilities
        chat = {**under, **chat_request(body, can_reason=can_reason), "model": version.name}
        for name in ("max_tokens", "max_completion_tokens", "n"):  # a message is one answer, of at most so many tokens
            chat.pop(name, None)
        chat["max_completion_tokens" if can_reason else "max_tokens"] = most
        return Fitted(chat, most)

    def prompt_tokens(self, ask: Ask) -> int:
        return prompt_tokens(ask, ask.body["messages"])

    def outgoing(self, version: VersionShape, endpoint: Endpoint, body: dict[str, Any], ask: Ask) -> Outgoing:
        kind = version.provider.kind
        if kind not in MESSAGES:
            return CHATS[kind].chat(endpoint, body)
        return MESSAGES[kind].message(endpoint, body, ask.betas and _switched_on(version, ask))

    def read(self, kind: str, raw: bytes, ask: Ask) -> ReadAnswer:
        if kind in MESSAGES:
            body, usage = MESSAGES[kind].read_message(raw)
        else:
            chat, usage = CHATS[kind].read(raw)
            body = orjson.dumps(message_of(orjson.loads(chat), usage, full_names(ask.body)))
        if ask.knowledge is not None:
            body = with_sources(body, ask.knowledge)
        return ReadAnswer(body, usage, body.decode("utf-8", "replace"))

    def reader(self, kind: str, ask: Ask) -> StreamReader:
        reader: StreamReader
        if kind in MESSAGES:
            reader = MESSAGES[kind].message_reader()
        else:
            chat = CHATS[kind].reader(choices=1, include_usage=True)
            reader = MessageStream(chat, input_tokens=self.prompt_tokens(ask), names=full_names(ask.body))
        return reader if ask.knowledge is None else SourcedStream(reader, ask.knowledge)


def _switched_on(version: VersionShape, ask: Ask) -> tuple[str, ...]:
    """Return those of the betas a caller named that the model's provider is asked for."""
    price, kind = version.price_at(ask.at), MESSAGES[version.provider.kind]
    long_above = price.long_above if price is not None and price.long is not None else None
    return tuple(beta for beta in ask.betas if kind.may_switch_on(beta, long_above=long_above))


def _shorter(body: dict[str, Any], most: int) -> dict[str, Any]:
    """Return the body with a budget for thoughts that is part of so many tokens, as it was of those asked for."""
    thinking = body.get("thinking") or {}
    budget = thinking.get("budget_tokens")
    if isinstance(budget, int) and _LEAST_BUDGET < most <= budget < body["max_tokens"]:
        return {**body, "thinking": {**thinking, "budget_tokens": most - 1}}
    return body
