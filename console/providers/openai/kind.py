"""Requests and whole answers of the OpenAI wire format."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from console.core.errors import ProviderError
from console.providers import failures
from console.providers.openai import completing, completion, embeddings, errors, legacy
from console.providers.openai.stream import OpenAIStream, usage_in
from console.providers.types import Answer, Embedded, Endpoint, Outgoing, Preset, StreamReader

_NOTHING: frozenset[str] = frozenset()


@lru_cache(maxsize=256)
def _headers(endpoint: Endpoint) -> Mapping[str, str]:
    headers = {"Content-Type": "application/json"}
    if endpoint.secret:
        headers["Authorization"] = f"Bearer {endpoint.secret}"
    return headers


def _with_usage(body: dict[str, Any]) -> bytes:
    """Return the body for the wire; a stream's says that usage is wanted, whatever our caller wants."""
    if body.get("stream"):
        body = {**body, "stream_options": {**(body.get("stream_options") or {}), "include_usage": True}}
    return orjson.dumps(body)


class OpenAI:
    label = "OpenAI-compatible"
    presets: tuple[Preset, ...] = (
        Preset("openai", "OpenAI", "https://api.openai.com/v1"),
        Preset("azure-openai", "Azure OpenAI", "https://your-resource.openai.azure.com/openai/v1"),
        Preset("mistral", "Mistral", "https://api.mistral.ai/v1"),
        Preset("gemini", "Google Gemini", "https://generativelanguage.googleapis.com/v1beta/openai"),
        Preset("groq", "Groq", "https://api.groq.com/openai/v1"),
        Preset("together", "Together", "https://api.together.xyz/v1"),
        Preset("ollama", "Ollama", "http://localhost:11434/v1", needs_secret=False),
        Preset("vllm", "vLLM", "http://localhost:8001/v1", needs_secret=False),
        Preset("llama-cpp", "llama.cpp", "http://localhost:8080/v1", needs_secret=False),
        Preset("lm-studio", "LM Studio", "http://localhost:1234/v1", needs_secret=False),
    )

    def dropped_fields(self, body: dict[str, Any]) -> frozenset[str]:
        return _NOTHING

    def chat(self, endpoint: Endpoint, body: dict[str, Any], *, is_legacy: bool = False) -> Outgoing:
        if is_legacy:
            body = legacy.to_tools(body)
        return Outgoing(f"{endpoint.base_url}/chat/completions", _headers(endpoint), _with_usage(body))

    def read(self, raw: bytes, *, is_legacy: bool = False) -> Answer:
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise ProviderError("The provider's answer is not JSON.", code="upstream_invalid") from None
        choices = answer.get("choices") if isinstance(answer, dict) else None
        if not isinstance(choices, list) or not choices:
            raise ProviderError("The provider's answer holds no choices.", code="upstream_invalid")
        is_changed = completing.head_of(answer, "chat.completion")
        is_changed |= completing.usage_of(answer)
        for place, choice in enumerate(choices):
            if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
                raise ProviderError("The provider's answer holds a choice without a message.", code="upstream_invalid")
            is_changed |= completing.choice_of(choice, place)
        if is_legacy:
            answer = legacy.from_tools(answer, part="message")
        if is_changed or is_legacy:
            raw = orjson.dumps(answer)
        return Answer(raw, usage_in(answer, len(choices)))

    def reader(self, *, choices: int = 1, include_usage: bool, is_legacy: bool = False) -> StreamReader:
        return OpenAIStream(choices=choices, include_usage=include_usage, is_legacy=is_legacy)

    def complete(self, endpoint: Endpoint, body: dict[str, Any]) -> Outgoing:
        return Outgoing(f"{endpoint.base_url}/completions", _headers(endpoint), _with_usage(body))

    def read_completion(self, raw: bytes, *, echo: Sequence[str] = ()) -> Answer:
        return completion.read(raw, echo)

    def completion_reader(self, *, choices: int = 1, include_usage: bool, echo: Sequence[str] = ()) -> StreamReader:
        return completion.CompletionStream(choices=choices, include_usage=include_usage, echo=echo)

    def embed(self, endpoint: Endpoint, body: dict[str, Any]) -> Outgoing:
        return Outgoing(f"{endpoint.base_url}/embeddings", _headers(endpoint), orjson.dumps(body))

    def read_embeddings(self, raw: bytes, *, count: int, as_base64: bool) -> Embedded:
        return embeddings.read(raw, count=count, as_base64=as_base64)

    def models(self, endpoint: Endpoint) -> Outgoing:
        return Outgoing(f"{endpoint.base_url}/models", _headers(endpoint), b"")

    def read_models(self, raw: bytes) -> list[str]:
        try:
            rows = orjson.loads(raw)["data"]
            return sorted(str(row["id"]) for row in rows)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise ProviderError("The provider's list of models cannot be read.", code="upstream_invalid") from None

    def failure(self, status: int, raw: bytes) -> ProviderError:
        return failures.failure(status, errors.said_in(raw))
