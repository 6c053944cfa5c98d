"""Embeddings."""

from typing import Any

import orjson

from console.catalog.shapes import PinShape, VersionShape
from console.core.errors import BadInput
from console.core.size import estimate_tokens
from console.gateway.operations.types import Fitted, ReadAnswer
from console.gateway.shapes import embeddings, prompts
from console.gateway.types import Ask
from console.providers.registry import EMBEDS
from console.providers.types import Endpoint, Outgoing, StreamReader


class Embedding:
    known_fields, withheld = embeddings.KNOWN, embeddings.WITHHELD

    def check(self, value: Any) -> dict[str, Any]:
        return embeddings.check(value)

    def check_fit(self, version: VersionShape, ask: Ask) -> None:
        if "embedding" not in version.capabilities or version.provider.kind not in EMBEDS:
            raise BadInput(f"The model behind {ask.model!r} does not make embeddings.", param="model")

    def dropped_fields(self, version: VersionShape, ask: Ask) -> frozenset[str]:
        return frozenset()

    def beyond_tokens(self, ask: Ask) -> str:
        return ""

    def fit(self, ask: Ask, pin: PinShape, default_output: int) -> Fitted:
        body = {k: v for k, v in pin.default_parameters.items() if k in embeddings.KNOWN}  # others are meant for chat
        return Fitted({**body, **ask.body, "model": pin.version.name}, 0)

    def prompt_tokens(self, ask: Ask) -> int:
        return prompts.tokens_in(ask.body["input"]) or estimate_tokens(ask.text)

    def outgoing(self, version: VersionShape, endpoint: Endpoint, body: dict[str, Any], ask: Ask) -> Outgoing:
        return EMBEDS[version.provider.kind].embed(endpoint, body)

    def read(self, kind: str, raw: bytes, ask: Ask) -> ReadAnswer:
        """Vectors are not kept, only their shape and digest, unless a replay may have to read them from the log."""
        body, usage, summary = EMBEDS[kind].read_embeddings(
            raw, count=prompts.count(ask.body["input"]), as_base64=ask.body.get("encoding_format") == "base64"
        )
        return ReadAnswer(body, usage, (body if ask.is_keyed else orjson.dumps(summary)).decode())

    def reader(self, kind: str, ask: Ask) -> StreamReader:
        raise BadInput("Embeddings are not streamed.", param="stream")
