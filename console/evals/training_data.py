"""Export a dataset as examples for training: the question, and the answer given or wanted."""

from collections.abc import Iterator
from typing import Any

from console.core.errors import BadInput
from console.core.formatting import as_text
from console.evals.models import Dataset, DatasetItem
from console.gateway.messages.names import short
from console.gateway.messages.request import chat_request


def examples(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield the items that have a conversation and an answer, as fine-tuning at OpenAI and its like takes them.

    Left out are items past their retention, those nobody answered, those that only say values of a prompt, and messages
    of Anthropic's shape that no chat completion can say.
    """
    for item in DatasetItem.objects.filter(dataset=dataset, is_forgotten=False).order_by("place"):
        asked = _messages(item) if (item.expected or item.tool_calls) and item.status in {"", "ok"} else {}
        if messages := asked.get("messages"):
            tools = {"tools": asked["tools"]} if asked.get("tools") else {}
            yield {"messages": [*messages, _answer(item)], **tools}


def _messages(item: DatasetItem) -> dict[str, Any]:
    """Return what was asked as a chat completion asks it, nothing where that cannot say it."""
    asked: dict[str, Any] = item.body
    if item.operation != "message":
        return asked
    try:
        return chat_request(asked, can_reason=False)
    except BadInput:
        return {}


def _answer(item: DatasetItem) -> dict[str, Any]:
    answer: dict[str, Any] = {"role": "assistant"}
    if item.expected:
        answer["content"] = item.expected
    if item.tool_calls:
        called = [{"name": short(name), "arguments": as_text(arguments)} for name, arguments in item.tool_calls]
        answer["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": one} for number, one in enumerate(called, 1)
        ]
    return answer
