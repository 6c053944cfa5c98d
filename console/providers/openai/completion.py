"""Text completions of the OpenAI wire format: whole answers and streams."""

from typing import Any

import orjson

from console.core.errors import ProviderError
from console.providers.openai.stream import OpenAIStream, usage_of
from console.providers.types import Answer

FINISH_REASONS = frozenset({"stop", "length", "content_filter"})


def read(raw: bytes) -> Answer:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ProviderError("The provider's answer is not JSON.", code="upstream_invalid") from None
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices:
        raise ProviderError("The provider's answer holds no choices.", code="upstream_invalid")
    is_mended = answer.get("object") != "text_completion"
    answer["object"] = "text_completion"
    for place, choice in enumerate(choices):
        if not isinstance(choice, dict) or not isinstance(choice.get("text"), str):
            raise ProviderError("The provider's answer holds a choice without a text.", code="upstream_invalid")
        is_mended |= _mend(choice, place)
    return Answer(orjson.dumps(answer) if is_mended else raw, usage_of(answer.get("usage")))


def _mend(choice: dict[str, Any], place: int) -> bool:
    """Give a choice what clients insist on; return whether anything had to be given."""
    is_mended = False
    if type(choice.get("index")) is not int:
        choice["index"], is_mended = place, True
    if choice.get("finish_reason") not in FINISH_REASONS:
        choice["finish_reason"], is_mended = "stop", True
    if "logprobs" not in choice:
        choice["logprobs"], is_mended = None, True
    return is_mended


class CompletionStream(OpenAIStream):
    """Reads a stream of texts. What differs from chat is what a choice holds."""

    __slots__ = ()

    def _choice(self, choice: Any) -> bool:
        if not isinstance(choice, dict):
            raise ProviderError("The provider sent a choice that is not an object.", code="upstream_invalid")
        index = choice.get("index", 0)
        if type(index) is not int:
            raise ProviderError("The provider sent a choice without a place.", code="upstream_invalid")
        is_mended = False
        kept = self._choices.setdefault(index, {"text": [], "finish": None})
        text = choice.get("text")
        if not isinstance(text, str):  # a last event may have none, which clients cannot add up
            choice["text"], text, is_mended = "", "", True
        finish = choice.get("finish_reason")
        if finish and (not isinstance(finish, str) or finish not in FINISH_REASONS):
            choice["finish_reason"], finish, is_mended = "stop", "stop", True
        kept["finish"] = finish or kept["finish"]
        if text:
            kept["text"].append(text)
            self.has_content = True
        return is_mended

    def answer(self) -> dict[str, Any]:
        choices = [
            {"index": index, "text": "".join(kept["text"]), "logprobs": None, "finish_reason": kept["finish"]}
            for index, kept in sorted(self._choices.items())
        ]
        return {**self._head, "object": "text_completion", "choices": choices}
