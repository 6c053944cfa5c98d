"""Fill in fields that clients require and not every provider sends, in whole answers and chunks.

Nothing is invented about the answer itself: a word of a provider's own is put into OpenAI's, and what only names or
numbers things is added where it is missing.
"""

from typing import Any

from console.core.clock import now
from console.core.errors import ProviderError
from console.core.ids import uuid7
from console.providers.openai.calls import as_text, holder_of, new_id

# Clients validate this field against OpenAI's list; a word of a provider's own would break them.
FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_SAME = {
    "max_tokens": "length",
    "max_length": "length",
    "model_length": "length",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "content_filtered": "content_filter",
}


def finish_of(finish: Any, *, has_calls: bool) -> str:
    """Return OpenAI's word for why an answer ended, whatever the provider's own; one yet to be invented is an end."""
    if not isinstance(finish, str) or not finish:
        return "tool_calls" if has_calls else "stop"
    if finish in FINISH_REASONS:
        return finish
    if finish == "error":
        raise ProviderError("The provider reported an error in mid-answer.", code="upstream_error")
    return _SAME.get(finish.lower()) or ("tool_calls" if has_calls else "stop")


def head_of(event: dict[str, Any], kind: str) -> bool:
    """Complete what stands around the choices; return whether anything had to be given."""
    is_changed = False
    if not isinstance(event.get("id"), str) or not event["id"]:
        event["id"], is_changed = f"chatcmpl-{uuid7().hex}", True
    if event.get("object") != kind:
        event["object"], is_changed = kind, True
    if type(event.get("created")) is not int:
        event["created"], is_changed = int(now().timestamp()), True
    if not isinstance(event.get("model"), str):
        event["model"], is_changed = "", True
    return is_changed


def usage_of(answer: dict[str, Any]) -> bool:
    """Add up the total where a count is without one, which clients insist on; return whether it was."""
    usage = answer.get("usage")
    if not isinstance(usage, dict) or type(usage.get("total_tokens")) is int:
        return False
    counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not all(type(count) is int for count in counts):
        return False
    usage["total_tokens"] = sum(counts)
    return True


def content_of(holder: dict[str, Any]) -> bool:
    """Make texts of content that comes as a list of parts, as models of Mistral's that reason write it."""
    parts = holder.get("content")
    if type(parts) is not list:
        return False
    texts, thoughts = [], []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            texts.append(as_text(part.get("text")))
        elif kind == "thinking":
            within = part.get("thinking")
            inner = within if isinstance(within, list) else [{"text": within}]
            thoughts += [as_text(part_.get("text")) for part_ in inner if isinstance(part_, dict)]
    holder["content"] = "".join(texts) or None
    if "".join(thoughts):
        holder["reasoning_content"] = "".join(thoughts)
    return True


def choice_of(choice: dict[str, Any], place: int) -> bool:
    """Complete one choice of a whole answer, whose message is there; return whether anything had to be given."""
    message = choice["message"]
    is_changed = content_of(message)
    if type(choice.get("index")) is not int:
        choice["index"], is_changed = place, True
    if message.get("role") != "assistant":
        message["role"], is_changed = "assistant", True
    if "content" not in message:
        message["content"], is_changed = None, True
    if "logprobs" not in choice:
        choice["logprobs"], is_changed = None, True
    calls, finish = message.get("tool_calls"), choice.get("finish_reason")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            is_changed |= _call(call)
    if type(finish) is not str or finish not in FINISH_REASONS:
        choice["finish_reason"], is_changed = finish_of(finish, has_calls=bool(calls)), True
    return is_changed


def _call(call: dict[str, Any]) -> bool:
    kind, text = holder_of(call)
    function = call.get(kind)
    is_changed = False
    if not isinstance(call.get("id"), str) or not call["id"]:
        call["id"], is_changed = new_id(), True
    if call.get("type") != kind:
        call["type"], is_changed = kind, True
    if isinstance(function, dict) and (
        not isinstance(function.get(text), str) or (not function[text] and text == "arguments")
    ):
        function[text], is_changed = as_text(function.get(text)) or "{}", True
    return is_changed
