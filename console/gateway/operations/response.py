"""OpenAI's responses.

Every provider is asked for a chat completion, and its answer is told as a response, so that all of them answer alike.
"""

from typing import Any

import orjson

from console.catalog.shapes import PinShape, VersionShape
from console.core.errors import BadInput
from console.gateway.operations.lengths import at_most, most_output
from console.gateway.operations.types import NO_TOOLS, Fitted, ReadAnswer
from console.gateway.operations.vision import check_sees, prompt_tokens
from console.gateway.responses.answer import response_of
from console.gateway.responses.dropped_fields import dropped_fields
from console.gateway.responses.request import FIELDS, chat_request
from console.gateway.responses.stream import ResponseStream
from console.gateway.shapes import responses
from console.gateway.types import Ask
from console.providers.registry import CHATS, MESSAGES
from console.providers.types import Endpoint, Outgoing, StreamReader

_PLACES = (
    ("messages[]", "input[]"),
    ("response_format.json_schema.", "text.format."),
    ("tools[].function.", "tools[]."),
)


class Response:
    known_fields, withheld = responses.KNOWN, responses.WITHHELD

    def check(self, value: Any) -> dict[str, Any]:
        return responses.check(value)

    def check_fit(self, version: VersionShape, ask: Ask) -> None:
        able, body = version.capabilities, ask.body
        if "previous_response_id" in body and not ask.history:
            raise BadInput("Only a call of its own goes on from a response.", param="previous_response_id")
        if body.get("background") and ask.response_id is None:
            raise BadInput("Only a call of its own is answered in the background.", param="background")
        if "chat" not in able or version.provider.kind not in CHATS:
            raise BadInput(f"The model behind {ask.model!r} does not chat.", param="model")
        check_sees(version, ask, "input", ask.history, responses.items_of(body))
        if body.get("tools") and "tools" not in able:
            raise BadInput(NO_TOOLS.format(ask.model), param="tools")
        kind = ((body.get("text") or {}).get("format") or {}).get("type")
        if kind in {"json_object", "json_schema"} and "json_schema" not in able:
            raise BadInput(f"The model behind {ask.model!r} cannot promise {kind}.", param="text.format.type")

    def dropped_fields(self, version: VersionShape, ask: Ask) -> frozenset[str]:
        kind, can_reason = version.provider.kind, "reasoning" in version.capabilities
        here = dropped_fields(ask.body, can_reason=can_reason, keeps_thoughts=kind in MESSAGES)
        lost = CHATS[kind].dropped_fields(_chat(version, ask))
        return here | {_in_their_words(name) for name in lost}

    def beyond_tokens(self, ask: Ask) -> str:
        return ""

    def fit(self, ask: Ask, pin: PinShape, default_output: int) -> Fitted:
        most = min(ask.body.get("max_output_tokens") or default_output, most_output(pin))
        if ask.agent is not None and ask.agent.most_output is not None:
            most = min(most, ask.agent.most_output)
        under = at_most(ask.prompt.parameters, pin) if ask.prompt else {}
        chat = {**under, **pin.default_parameters, **_chat(pin.version, ask), "model": pin.version.name}
        for name in ("max_tokens", "max_completion_tokens", "n"):  # a response is one answer, of so many tokens
            chat.pop(name, None)
        chat["max_completion_tokens" if "reasoning" in pin.version.capabilities else "max_tokens"] = most
        return Fitted(chat, most)

    def prompt_tokens(self, ask: Ask) -> int:
        """Return an estimate of what was sent, or of what it came to with items that were named by their ids."""
        items = responses.items_of(ask.body)
        tokens = prompt_tokens(ask, items)
        if not ask.history and not any("id" in item for item in items):
            return tokens
        conversation = [*ask.history, *items]
        return max(
            tokens, prompt_tokens(ask, conversation, text=orjson.dumps({**ask.body, "input": conversation}).decode())
        )

    def outgoing(self, version: VersionShape, endpoint: Endpoint, body: dict[str, Any], ask: Ask) -> Outgoing:
        try:
            return CHATS[version.provider.kind].chat(endpoint, body)
        except BadInput as refusal:  # in the words of a chat completion, which the caller did not write
            refusal.param = FIELDS.get(refusal.param or "", refusal.param)
            raise

    def read(self, kind: str, raw: bytes, ask: Ask) -> ReadAnswer:
        chat, usage = CHATS[kind].read(raw)
        body = orjson.dumps(response_of(orjson.loads(chat), usage, ask))
        return ReadAnswer(body, usage, body.decode("utf-8", "replace"))

    def reader(self, kind: str, ask: Ask) -> StreamReader:
        return ResponseStream(CHATS[kind].reader(choices=1, include_usage=True), ask)


def _in_their_words(name: str) -> str:
    """Return where a field, or a place inside, of a chat completion is in the request the caller wrote."""
    for ours, theirs in _PLACES:
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return FIELDS.get(name, name)


def _chat(version: VersionShape, ask: Ask) -> dict[str, Any]:
    can_reason, keeps_thoughts = "reasoning" in version.capabilities, version.provider.kind in MESSAGES
    return chat_request(ask.body, ask.history, can_reason=can_reason, keeps_thoughts=keeps_thoughts)
