"""Requests and whole answers of Anthropic's Messages API."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import orjson

from console.core.errors import ProviderError
from console.providers import failures
from console.providers.anthropic.answer import completion_of
from console.providers.anthropic.pass_through import PassedStream, read_message
from console.providers.anthropic.request import dropped_fields, messages_request
from console.providers.anthropic.stream import AnthropicStream
from console.providers.openai import legacy
from console.providers.types import Answer, Endpoint, Outgoing, Preset, StreamReader

_VERSION = "2023-06-01"
# Betas that are not a caller's to switch on: they change the price, have the provider act elsewhere or run things, have
# another model answer, or reach what the installation's account holds for all of its teams.
_NOT_THEIRS = (
    "advisor-tool-",
    "agent-memory-",
    "code-execution-",
    "fallback-credit-",
    "fast-mode-",
    "files-api-",
    "managed-agents-",
    "mcp-",
    "server-side-fallback-",
    "skills-",
    "user-profiles-",
    "web-fetch-",
)
# Longer inputs, at a price of their own above so many tokens.
_LONG, _LONG_ABOVE = "context-1m-", 200_000


@lru_cache(maxsize=256)
def _headers(endpoint: Endpoint) -> Mapping[str, str]:
    headers = {"Content-Type": "application/json", "anthropic-version": _VERSION}
    if endpoint.secret:
        headers["x-api-key"] = endpoint.secret
    return headers


class Anthropic:
    label = "Anthropic"
    presets: tuple[Preset, ...] = (Preset("anthropic", "Anthropic", "https://api.anthropic.com/v1"),)

    def dropped_fields(self, body: dict[str, Any]) -> frozenset[str]:
        return dropped_fields(body)

    def chat(self, endpoint: Endpoint, body: dict[str, Any], *, is_legacy: bool = False) -> Outgoing:
        if is_legacy:
            body = legacy.to_tools(body)
        raw = orjson.dumps(messages_request(body))
        return Outgoing(f"{endpoint.base_url}/messages", _headers(endpoint), raw)

    def read(self, raw: bytes, *, is_legacy: bool = False) -> Answer:
        try:
            message = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise ProviderError("The provider's answer is not JSON.", code="upstream_invalid") from None
        completion, usage = completion_of(message)
        if is_legacy:
            completion = legacy.from_tools(completion, part="message")
        return Answer(orjson.dumps(completion), usage)

    def reader(self, *, choices: int = 1, include_usage: bool, is_legacy: bool = False) -> StreamReader:
        return AnthropicStream(include_usage=include_usage, is_legacy=is_legacy)

    def may_switch_on(self, beta: str, *, long_above: int | None) -> bool:
        if beta.startswith(_LONG):
            return long_above is not None and long_above <= _LONG_ABOVE
        return not beta.startswith(_NOT_THEIRS)

    def message(self, endpoint: Endpoint, body: dict[str, Any], betas: Sequence[str] = ()) -> Outgoing:
        headers = _headers(endpoint)
        if betas:
            headers = {**headers, "anthropic-beta": ",".join(betas)}
        return Outgoing(f"{endpoint.base_url}/messages", headers, orjson.dumps(body))

    def read_message(self, raw: bytes) -> Answer:
        return read_message(raw)

    def message_reader(self) -> StreamReader:
        return PassedStream()

    def models(self, endpoint: Endpoint) -> Outgoing:
        """Return the request for the largest page there is: one is enough for all the models a provider has."""
        return Outgoing(f"{endpoint.base_url}/models?limit=1000", _headers(endpoint), b"")

    def read_models(self, raw: bytes) -> list[str]:
        try:
            return sorted(str(row["id"]) for row in orjson.loads(raw)["data"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise ProviderError("The provider's list of models cannot be read.", code="upstream_invalid") from None

    def failure(self, status: int, raw: bytes) -> ProviderError:
        message = ""
        with suppress(orjson.JSONDecodeError, KeyError, TypeError):
            message = str(orjson.loads(raw)["error"]["message"] or "")
        # The message is all there is to tell this case by; clients shorten the conversation when they see the code.
        code = "context_length_exceeded" if message.startswith("prompt is too long") else ""
        return failures.failure(status, failures.ErrorBody(message, code))
