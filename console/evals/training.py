"""A dataset as examples a model can be trained on: what was asked, and the answer that was given or is wanted."""

import json
from collections.abc import Iterator
from typing import Any

from console.evals.models import Dataset, DatasetItem


def examples(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield the items that have a conversation and an answer, as fine-tuning at OpenAI and its like takes them.

    Left out are items past their retention, those nobody answered, and those that only say values of a prompt.
    """
    for item in DatasetItem.objects.filter(dataset=dataset, is_forgotten=False).order_by("place"):
        asked = item.body.get("messages")
        if asked and (item.expected or item.tool_calls) and item.status in {"", "ok"}:
            tools = {"tools": item.body["tools"]} if item.body.get("tools") else {}
            yield {"messages": [*asked, _answer(item)], **tools}


def _answer(item: DatasetItem) -> dict[str, Any]:
    answer: dict[str, Any] = {"role": "assistant"}
    if item.expected:
        answer["content"] = item.expected
    if item.tool_calls:
        answer["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": _text(arguments)}}
            for number, (name, arguments) in enumerate(item.tool_calls, 1)
        ]
    return answer


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
