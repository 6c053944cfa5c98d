"""A scripted model behind an OpenAI-compatible address: a function decides, so a story goes the same way every time."""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from examples.serving import Reply, Request

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Said:
    """What the model answers: words, and the calls it asks for as (tool, arguments)."""

    text: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@dataclass(frozen=True)
class Turn:
    """What the model is asked."""

    messages: list[Mapping[str, Any]]

    @property
    def system(self) -> str:
        return "\n".join(str(one["content"]) for one in self.messages if one["role"] in {"system", "developer"})

    @property
    def asked(self) -> str:
        """Return the first thing a person said."""
        return next((str(one["content"]) for one in self.messages if one["role"] == "user"), "")

    @property
    def latest(self) -> str:
        return next((str(one["content"]) for one in reversed(self.messages) if one["role"] == "user"), "")

    def results(self, tool: str) -> list[str]:
        """Return what came of the calls of a tool, in order."""
        names = {call["id"]: call["function"]["name"] for one in self.messages for call in one.get("tool_calls") or []}
        results = [one for one in self.messages if one["role"] == "tool"]
        return [str(one["content"]) for one in results if names.get(one["tool_call_id"]) == tool]


Think = Callable[[Turn], Said]


def answer_as(model: str, think: Think, request: Request) -> Reply | None:
    """Answer what an OpenAI-compatible server is asked; None when the request is none of those."""
    if request.path == "/v1/models":
        return Reply({"object": "list", "data": [{"id": model, "object": "model"}]})
    if request.path != "/v1/chat/completions" or not isinstance(request.body, dict):
        return None
    said = think(Turn(request.body["messages"]))
    head: dict[str, Any] = {"id": f"chatcmpl-{next(_numbers)}", "created": 1_700_000_000, "model": model}
    read = len(json.dumps(request.body["messages"])) // 4
    written = (len(said.text) + len(json.dumps(said.calls))) // 4
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    if request.body.get("stream"):
        return Reply(_stream(head, said, usage), content_type="text/event-stream")
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, **_calls(said)}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if said.calls else "stop"}
    return Reply({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def _calls(said: Said) -> dict[str, Any]:
    calls = [
        {
            "index": index,
            "id": f"call-{next(_numbers)}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(given)},
        }
        for index, (name, given) in enumerate(said.calls)
    ]
    return {"tool_calls": calls} if calls else {}


def _stream(head: dict[str, Any], said: Said, usage: dict[str, int]) -> bytes:
    words = said.text.split(" ")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": words[0]}]
    deltas += [{"content": f" {word}"} for word in words[1:]]
    if said.calls:
        deltas.append(_calls(said))
    chunks: list[list[dict[str, Any]]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    chunks.append([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if said.calls else "stop"}])
    events: list[dict[str, Any]] = [{"choices": choices} for choices in chunks]
    events.append({"choices": [], "usage": usage})
    lines = [json.dumps({**head, "object": "chat.completion.chunk", **event}) for event in events]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
