"""Text completions."""

from typing import Any

from console.catalog.shapes import PinShape, VersionShape
from console.core.errors import BadInput
from console.core.size import estimate_tokens
from console.gateway.operations.lengths import most_output
from console.gateway.operations.types import Fitted, ReadAnswer
from console.gateway.shapes import completions, prompts
from console.gateway.types import Ask
from console.providers.registry import COMPLETES
from console.providers.types import Endpoint, Outgoing, StreamReader

# What the wire format says of a request without max_tokens. Its clients rely on short answers.
_DEFAULT_OUTPUT = 16


def _echoes(ask: Ask) -> list[str]:
    """Return what to put before each choice: its prompt, when the caller wants it back.

    Not every provider knows `echo`, so it is ours where all there is to it is the text; tokens and log probabilities of
    a prompt are the provider's to tell.
    """
    prompt = ask.body["prompt"]
    if not ask.body.get("echo") or ask.body.get("logprobs") is not None or prompts.tokens_in(prompt) is not None:
        return []
    texts = [prompt] if isinstance(prompt, str) else prompt
    return [text for text in texts for _ in range(ask.body.get("n") or 1)]


class Completion:
    known_fields, withheld = completions.KNOWN, completions.WITHHELD

    def check(self, value: Any) -> dict[str, Any]:
        return completions.check(value)

    def check_fit(self, version: VersionShape, ask: Ask) -> None:
        able = version.capabilities
        if "completion" not in able or version.provider.kind not in COMPLETES:
            hint = " It chats: send messages to /v1/chat/completions." if "chat" in able else ""
            raise BadInput(f"The model behind {ask.model!r} does not complete text.{hint}", param="model")

    def dropped_fields(self, version: VersionShape, ask: Ask) -> frozenset[str]:
        return frozenset()

    def beyond_tokens(self, ask: Ask) -> str:
        return ""

    def fit(self, ask: Ask, pin: PinShape, default_output: int) -> Fitted:
        body = {k: v for k, v in pin.default_parameters.items() if k in completions.KNOWN}  # others are meant for chat
        body |= {**ask.body, "model": pin.version.name}
        maximum = body.get("max_tokens")
        body["max_tokens"] = most = min(_DEFAULT_OUTPUT if maximum is None else maximum, most_output(pin))
        choices = max(body.get("n") or 1, body.get("best_of") or 1) * prompts.count(body["prompt"])
        if _echoes(ask):
            body.pop("echo", None)
        echoed = self.prompt_tokens(ask) * (body.get("n") or 1) if body.get("echo") else 0
        return Fitted(body, most * choices + echoed)

    def prompt_tokens(self, ask: Ask) -> int:
        return prompts.tokens_in(ask.body["prompt"]) or estimate_tokens(ask.text)

    def outgoing(self, version: VersionShape, endpoint: Endpoint, body: dict[str, Any], ask: Ask) -> Outgoing:
        return COMPLETES[version.provider.kind].complete(endpoint, body)

    def read(self, kind: str, raw: bytes, ask: Ask) -> ReadAnswer:
        body, usage = COMPLETES[kind].read_completion(raw, echo=_echoes(ask))
        return ReadAnswer(body, usage, body.decode("utf-8", "replace"))

    def reader(self, kind: str, ask: Ask) -> StreamReader:
        choices = (ask.body.get("n") or 1) * prompts.count(ask.body["prompt"])
        return COMPLETES[kind].completion_reader(choices=choices, include_usage=ask.include_usage, echo=_echoes(ask))
