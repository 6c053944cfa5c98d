"""Requests and answers of the built-in embeddings: OpenAI's wire format, and only this part of it."""

from typing import Any

from console.core.errors import ProviderError
from console.providers.openai.kind import OpenAI
from console.providers.types import Embedded, Endpoint, Outgoing, Preset

_wire = OpenAI()


class WordLlama:
    label = "Built-in embeddings (wordllama)"
    presets: tuple[Preset, ...] = ()  # set up by the installation

    def embed(self, endpoint: Endpoint, body: dict[str, Any]) -> Outgoing:
        return _wire.embed(endpoint, body)

    def read_embeddings(self, raw: bytes, *, count: int, as_base64: bool) -> Embedded:
        return _wire.read_embeddings(raw, count=count, as_base64=as_base64)

    def models(self, endpoint: Endpoint) -> Outgoing:
        return _wire.models(endpoint)

    def read_models(self, raw: bytes) -> list[str]:
        return _wire.read_models(raw)

    def failure(self, status: int, raw: bytes) -> ProviderError:
        return _wire.failure(status, raw)
