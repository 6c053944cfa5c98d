"""Text completions of the OpenAI wire format: whole answers and streams."""

from collections.abc import Sequence
from typing import Any

import orjson

from console.core import sse
from console.core.errors import ProviderError
from console.providers.openai import completing
from console.providers.openai.stream import OpenAIStream, usage_in, usage_of
from console.providers.types import Answer, Usage

_FINISH_REASONS = frozenset({"stop", "length", "content_filter"})


def _finish_of(reason: Any) -> str:
    finish = completing.finish_of(reason, has_calls=False)
    return finish if finish in _FINISH_REASONS else "stop"


def read(raw: bytes, echo: Sequence[str] = ()) -> Answer:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ProviderError("The provider's answer is not JSON.", code="upstream_invalid") from None
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices:
        raise ProviderError("The provider's answer holds no choices.", code="upstream_invalid")
    is_changed = completing.head_of(answer, "text_completion") | completing.usage_of(answer)
    for place, choice in enumerate(choices):
        if not isinstance(choice, dict) or not isinstance(choice.get("text"), str):
            raise ProviderError("The provider's answer holds a choice without a text.", code="upstream_invalid")
        is_changed |= _mend(choice, place)
        if choice["index"] in range(len(echo)):
            choice["text"], is_changed = echo[choice["index"]] + choice["text"], True
    return Answer(orjson.dumps(answer) if is_changed else raw, usage_in(answer, len(choices)))


def _mend(choice: dict[str, Any], place: int) -> bool:
    """Give a choice what clients insist on; return whether anything had to be given."""
    is_changed = False
    if type(choice.get("index")) is not int:
        choice["index"], is_changed = place, True
    finish = _finish_of(choice.get("finish_reason"))
    if finish != choice.get("finish_reason"):
        choice["finish_reason"], is_changed = finish, True
    return _mend_logprobs(choice, 0) or is_changed


def _mend_logprobs(choice: dict[str, Any], offset: int) -> bool:
    """Put log probabilities that come in the form of chat, as llama.cpp sends them, into the form of completions."""
    logprobs = choice.get("logprobs")
    if logprobs is None:
        choice["logprobs"] = None
        return True
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        return False
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(str(token.get("token")))
    choice["logprobs"] = {
        "tokens": [token.get("token") for token in tokens],
        "token_logprobs": [token.get("logprob") for token in tokens],
        "top_logprobs": [
            {top.get("token"): top.get("logprob") for top in token.get("top_logprobs") or ()} for token in tokens
        ],
        "text_offset": offsets,
    }
    return True


class CompletionStream(OpenAIStream):
    """Reads a stream of texts. What differs from chat is what a choice holds, and where its usage is said."""

    object = "text_completion"

    __slots__ = ("_echo", "_spent")

    def __init__(self, *, choices: int = 1, include_usage: bool, echo: Sequence[str] = ()) -> None:
        super().__init__(choices=choices, include_usage=include_usage)
        self._echo = echo
        self._spent: list[Usage] = []  # of each choice that ended, for a provider that gives no total

    def _frame(self, frame: bytes) -> bytes:
        out = super()._frame(frame)
        self._add_up()
        return out

    def finish(self) -> bytes:
        out = super().finish()
        self._add_up()
        return out

    def _event(self, event: dict[str, Any], frame: bytes) -> bytes:
        choices = event.get("choices")
        if isinstance(choices, list) and choices and event.get("usage") is not None:
            usage, event["usage"] = usage_of(event["usage"]), None  # the total is said once, at the end
            out = super()._event(event, b"")
            if usage and any(choice.get("finish_reason") for choice in choices):
                self._spent.append(usage)
            return out
        return super()._event(event, frame)

    def _add_up(self) -> None:
        if not self.is_complete or self.usage is not None or not self._spent:
            return
        total = self.usage = Usage(*map(sum, zip(*self._spent, strict=True)))
        if self._include_usage:
            counts = {"prompt_tokens": total.prompt, "completion_tokens": total.completion}
            usage = {**counts, "total_tokens": total.prompt + total.completion}
            last = {**self._head, "object": self.object, "choices": [], "usage": usage}
            self.last_frames = sse.frame(last) + self.last_frames

    def _unended(self, index: int, choice: dict[str, Any]) -> dict[str, Any]:
        choice["finish"] = "stop"
        return {"index": index, "text": "", "logprobs": None, "finish_reason": "stop"}

    def _choice(self, choice: Any) -> bool:
        if not isinstance(choice, dict):
            raise ProviderError("The provider sent a choice that is not an object.", code="upstream_invalid")
        index, is_changed = choice.get("index"), False
        if index is None:
            choice["index"], index, is_changed = 0, 0, True
        if type(index) is not int:
            raise ProviderError("The provider sent a choice without a place.", code="upstream_invalid")
        is_first = index not in self._choices
        state = self._choices.setdefault(index, {"text": [], "finish": None, "length": 0})
        if choice.get("logprobs") is not None:
            is_changed |= _mend_logprobs(choice, state["length"])
        text = choice.get("text")
        if not isinstance(text, str):  # a last event may have none, which clients cannot add up
            choice["text"], text, is_changed = "", "", True
        if is_first and index in range(len(self._echo)):
            choice["text"] = text = self._echo[index] + text
            is_changed = True
        finish = choice.get("finish_reason")
        if finish and _finish_of(finish) != finish:
            choice["finish_reason"] = finish = _finish_of(finish)
            is_changed = True
        state["finish"] = finish or state["finish"]
        if text:
            state["text"].append(text)
            state["length"] += len(text)
            self.has_content = True
        return is_changed

    def answer(self) -> dict[str, Any]:
        choices = [
            {"index": index, "text": "".join(choice["text"]), "logprobs": None, "finish_reason": choice["finish"]}
            for index, choice in sorted(self._choices.items())
        ]
        return {**self._head, "object": "text_completion", "choices": choices}
