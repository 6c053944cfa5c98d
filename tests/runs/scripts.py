"""What the scripted model says: answers in words, and answers that ask for calls."""

import json
from typing import Any

from tests.upstream import completion

_numbers = iter(range(1, 1_000_000))


def words(text: str = "All done.", **more: Any) -> dict[str, Any]:
    return completion(text, **more)


def wants(*calls: tuple[str, Any], text: str = "", finish: str = "tool_calls") -> dict[str, Any]:
    """Return an answer that asks for calls: (name, arguments); arguments that are a text are sent as they are."""
    wanted = [
        {
            "id": f"call-{next(_numbers)}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for name, given in calls
    ]
    message = {"role": "assistant", "content": text or None, "tool_calls": wanted}
    return completion(choices=[{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}])
