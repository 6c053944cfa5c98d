"""Read events of chat completions: validate, forward, and keep what the log needs.

Events go to the client as the bytes they came in whenever they are one plain `data:` line of JSON, which is nearly
always; anything else that the standard allows (CRLF, comments, several data lines) is put into that form first. So a
client only ever sees frames with one data line, and no event name an upstream invents. What clients insist on and a
provider left out is added to its event (`completing.py`, `calls.py`).
"""

from typing import Any, ClassVar, TypeGuard

import orjson

from console.core import sse
from console.core.errors import ProviderError
from console.providers.openai import completing
from console.providers.openai.calls import Calls
from console.providers.openai.legacy import from_tools
from console.providers.sse import EventSplitter, data_of
from console.providers.types import Usage

_DONE = b"[DONE]"
_NO_ID = object()  # no event has it, so each one's head is looked at
_MOST_TOKENS = 2**31 - 1


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MOST_TOKENS


def _detail(holder: Any, name: str) -> int:
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if _is_count(value) else 0


def usage_of(raw: Any) -> Usage | None:
    """Return the usage object as numbers; None when there is none or it makes no sense. Zero stays zero."""
    if not isinstance(raw, dict):
        return None
    prompt, completion = raw.get("prompt_tokens"), raw.get("completion_tokens")
    if completion is None:
        completion = 0
    if not (_is_count(prompt) and _is_count(completion)):
        return None
    input_details, output_details = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    if not input_details and not output_details:
        return Usage(prompt, completion)
    cached = min(_detail(input_details, "cached_tokens"), prompt)
    stored = min(_detail(input_details, "cache_write_tokens"), prompt - cached)
    reasoning = _detail(output_details, "reasoning_tokens")
    audio_in = min(_detail(input_details, "audio_tokens"), prompt - cached - stored)
    audio_out = min(_detail(output_details, "audio_tokens"), max(completion - reasoning, 0))
    return Usage(prompt, completion, cached, reasoning, stored, 0, audio_in, audio_out)


def usage_in(answer: dict[str, Any], choices: int) -> Usage | None:
    """Return what a whole answer says it used; None, so that it is estimated, when that is not said of all choices.

    llama.cpp counts the first of several only. Its answers are known by their `timings`.
    """
    return None if choices > 1 and "timings" in answer else usage_of(answer.get("usage"))


class OpenAIStream:
    """A StreamReader of OpenAI's chunks, which go through as they came where nothing has to be put right.

    `choices`: how many were asked for. `include_usage`: the client asked for a chunk with what was used.
    `is_legacy`: it speaks of functions, not of tools.
    """

    object: ClassVar = "chat.completion.chunk"

    __slots__ = (
        "usage",
        "is_complete",
        "has_content",
        "last_frames",
        "_choice_count",
        "_late_usage",
        "_include_usage",
        "_is_legacy",
        "_events",
        "_head",
        "_id",
        "_created",
        "_choices",
    )

    def __init__(self, *, choices: int = 1, include_usage: bool, is_legacy: bool = False) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self.has_content = False
        self.last_frames = b""
        self._choice_count = choices
        self._late_usage: Any = None  # usage that came on a chunk with choices, to be said in one of its own
        self._include_usage = include_usage
        self._is_legacy = is_legacy
        self._events = EventSplitter()
        self._head: dict[str, Any] = {}
        self._id: Any = _NO_ID
        self._created: Any = None
        self._choices: dict[int, dict[str, Any]] = {}

    def feed(self, chunk: bytes) -> bytes:
        forward = [frame_out for frame in self._events.feed(chunk) if (frame_out := self._frame(frame))]
        if not forward:
            return b""
        forward.append(b"")
        return b"\n\n".join(forward)

    def _frame(self, frame: bytes) -> bytes:
        """Take one event; return the frame to forward, or nothing."""
        if frame.startswith(b"data: ") and b"\n" not in frame:
            payload = frame[6:]
        else:
            payload = data_of(frame)
            frame = b""
        if not payload or self.is_complete:  # nothing may follow the end
            return b""
        if payload == _DONE:
            self._end()
            return b""
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise ProviderError("The provider sent an event that is not JSON.", code="upstream_invalid") from None
        if not isinstance(event, dict):
            if event is None:  # llama.cpp begins with one when it is sent several prompts
                return b""
            raise ProviderError("The provider sent an event that is not an object.", code="upstream_invalid")
        if event.get("error"):
            raise ProviderError("The provider reported an error in mid-answer.", code="upstream_error")
        return self._event(event, frame)

    def _event(self, event: dict[str, Any], frame: bytes) -> bytes:
        choices = event.get("choices")
        if not isinstance(choices, list):
            raise ProviderError("The provider sent an event without choices.", code="upstream_invalid")
        usage = event.get("usage")
        if usage is not None:
            counted = usage_of(usage)
            if counted and self.usage and self._choice_count > 1 and not choices:
                counted = Usage(*map(sum, zip(self.usage, counted, strict=True)))  # llama.cpp: one for each choice
            self.usage = counted or self.usage
            if completing.usage_of(event):
                frame = b""
        if not choices and usage is None:
            return b""  # what Azure says of the prompt before the answer, under no id
        if event.get("id") != self._id or event.get("created") != self._created:  # seldom; the first says the rest
            frame = self._headed(event, frame)
        for choice in choices:
            if self._choice(choice):
                frame = b""
        if not choices:
            if not self._include_usage:
                return b""
            self._late_usage = None
        elif self._include_usage:
            frame = self._without_usage(event, frame)
        elif usage is not None:
            # Some providers put usage on an ordinary chunk; who did not ask for it must not see it.
            del event["usage"]
            frame = b""
        if self._is_legacy:
            event, frame = from_tools(event, part="delta"), b""
        return frame or b"data: " + orjson.dumps(event)

    def _headed(self, event: dict[str, Any], frame: bytes) -> bytes:
        """Have an event say of the answer what the first one said; return its frame, nothing where that is new."""
        if not self._head:
            is_changed = completing.head_of(event, self.object)
            self._head = {k: event[k] for k in ("id", "created", "model", "system_fingerprint") if k in event}
            if not is_changed:
                self._id, self._created = event["id"], event["created"]
            return b"" if is_changed else frame
        head = {"id": self._head["id"], "object": self.object}
        head |= {"created": self._head["created"], "model": self._head["model"]}
        if head.items() <= event.items():
            return frame
        event |= head
        return b""

    def _without_usage(self, event: dict[str, Any], frame: bytes) -> bytes:
        """Have a chunk with choices say `usage: null`, as OpenAI's do; what it counted comes once, at the end."""
        if "usage" not in event:
            event["usage"] = None
            return frame and frame.rstrip()[:-1] + b',"usage":null}'
        if event["usage"] is None:
            return frame
        if isinstance(event["usage"], dict):
            self._late_usage = event["usage"]
        event["usage"] = None
        return b""

    def _end(self) -> None:
        if not self._choices:
            raise ProviderError("The provider's answer holds no choices.", code="upstream_invalid")
        self.is_complete = True
        self.last_frames = sse.DONE
        if self._late_usage is not None:
            last = {**self._head, "object": self.object, "choices": [], "usage": self._late_usage}
            self.last_frames = sse.frame(last) + self.last_frames
        if unended := [self._unended(index, choice) for index, choice in self._choices.items() if not choice["finish"]]:
            usage = {"usage": None} if self._include_usage else {}
            last = {**self._head, "object": self.object, "choices": unended, **usage}
            self.last_frames = sse.frame(from_tools(last, part="delta") if self._is_legacy else last) + self.last_frames

    def _unended(self, index: int, choice: dict[str, Any]) -> dict[str, Any]:
        """Say that a choice is at its end which the provider left open, though it said that all is."""
        choice["finish"] = completing.finish_of(None, has_calls=bool(choice["calls"].made))
        return {"index": index, "delta": {}, "finish_reason": choice["finish"]}

    def _choice(self, choice: Any) -> bool:
        """Keep what a choice adds to the answer; return whether it had to be mended."""
        if not isinstance(choice, dict):
            raise ProviderError("The provider sent a choice that is not an object.", code="upstream_invalid")
        index, is_changed = choice.get("index"), False
        if type(index) is not int:
            if index is not None:
                raise ProviderError("The provider sent a choice without a place.", code="upstream_invalid")
            choice["index"], index, is_changed = 0, 0, True
        delta = choice.get("delta")
        if type(delta) is not dict:
            choice["delta"], delta, is_changed = {}, {}, True
        state = self._choices.get(index)
        if state is None:
            state = {"text": [], "reasoning": [], "refusal": [], "calls": Calls(), "finish": None}
            self._choices[index] = state
            if delta.get("role") != "assistant":
                delta["role"], is_changed = "assistant", True
        elif "role" in delta:
            del delta["role"]  # clients would join it to the first one's
            is_changed = True
        if self._delta(state, delta):
            is_changed = True
        finish = choice.get("finish_reason")
        if finish:
            state["finish"] = completing.finish_of(finish, has_calls=bool(state["calls"].made))
            if state["finish"] != finish:
                choice["finish_reason"], is_changed = state["finish"], True
        return is_changed

    def _delta(self, state: dict[str, Any], delta: dict[str, Any]) -> bool:
        """Keep what an event adds to a choice; return whether it had to be mended."""
        is_changed = completing.content_of(delta) if type(delta.get("content")) is list else False
        text = delta.get("content")
        if isinstance(text, str) and text:
            state["text"].append(text)
            self.has_content = True
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            state["reasoning"].append(reasoning)
            self.has_content = True
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            state["refusal"].append(refusal)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self.has_content = True
                is_changed |= state["calls"].take(call)
        return is_changed

    def finish(self) -> bytes:
        """Say that no more bytes come: return what may still go out, and decide whether the answer is complete."""
        last = self._events.finish()
        frame = self._frame(last) if last else b""
        out = frame + b"\n\n" if frame else b""
        ended = sum(1 for frame in self._choices.values() if frame["finish"])
        if not self.is_complete and ended == max(self._choice_count, len(self._choices)):
            self._end()  # every choice has ended, so it is whole although no [DONE] follows
        return out

    def answer(self) -> dict[str, Any]:
        """Return what was streamed as one chat completion, for the log."""
        choices = []
        for index, choice in sorted(self._choices.items()):
            message: dict[str, Any] = {"role": "assistant", "content": "".join(choice["text"]) or None}
            if choice["reasoning"]:
                message["reasoning_content"] = "".join(choice["reasoning"])
            if choice["refusal"]:
                message["refusal"] = "".join(choice["refusal"])
            if choice["calls"].made:
                message["tool_calls"] = choice["calls"].made
            choices.append({"index": index, "message": message, "finish_reason": choice["finish"]})
        answer = {**self._head, "object": "chat.completion", "choices": choices}
        return from_tools(answer, part="message") if self._is_legacy else answer
