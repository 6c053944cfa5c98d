"""Build a response piece by piece: each changes the object and becomes numbered events.

Items come one after another: one is closed when a piece of another arrives, which is the order models write in, and a
call that continues after the next has begun is an error. A whole answer is told the same way, and its events not sent.
"""

from typing import Any

from console.core.errors import ProviderError
from console.gateway.responses.tools import CALLS, calls_by_name, input_of
from console.gateway.responses.turns import sealed

Event = dict[str, Any]
Item = dict[str, Any]


class ResponseEvents:
    """Tells `response`, which begins as its frame. `take` returns the events since it was last asked.

    One in the background is queued first. With `number` somebody else has told those before it.
    """

    def __init__(self, frame: dict[str, Any], *, number: int | None = None) -> None:
        self._response = frame
        self._events: list[Event] = []
        self._number = number or 0
        self._open: Item | None = None
        self._named = calls_by_name(frame.get("tools") or ())
        self._arguments: Item = {}  # of the open call of a custom tool, whose text is in them
        self._place: int | None = None  # of the open call among the provider's
        self._places: set[int] = set()
        self._details: list[Any] = []  # signed thoughts of the open item
        self._growing: tuple[Item, str] | None = None  # the text that grows, and what it grew by
        self._pieces: list[str] = []
        if number is not None:
            return
        waiting = {**self._snapshot(), "status": "queued"}
        if frame.get("background"):
            self._emit("response.created", response=waiting)
            self._emit("response.queued", response=waiting)
        else:
            self._emit("response.created", response=self._snapshot())
        self._emit("response.in_progress", response=self._snapshot())

    @property
    def response(self) -> dict[str, Any]:
        self._settle()
        return self._response

    def take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def thought(self, text: str) -> None:
        item = self._thinking()
        if not item["summary"]:
            item["summary"].append({"type": "summary_text", "text": ""})
            self._of("response.reasoning_summary_part.added", summary_index=0, part=dict(item["summary"][0]))
        self._grow(item["summary"][0], "text", text)
        self._of("response.reasoning_summary_text.delta", summary_index=0, delta=text)

    def seal(self, details: list[Any]) -> None:
        """Keep thoughts in the provider's own form, for the caller to send back; sealed once they are whole."""
        self._thinking()  # first: it closes what came before, with the thoughts of that
        self._details += details

    def carry(self, text: str) -> None:
        """Keep thoughts that are sealed already."""
        self._thinking()["encrypted_content"] = text

    def text(self, text: str, logprobs: list[dict[str, Any]]) -> None:
        part = self._part({"type": "output_text", "annotations": [], "logprobs": [], "text": ""})
        self._grow(part, "text", text)
        part["logprobs"] += logprobs
        self._of("response.output_text.delta", **self._at(), delta=text, logprobs=logprobs)

    def refusal(self, text: str, _: list[dict[str, Any]]) -> None:
        part = self._part({"type": "refusal", "refusal": ""})
        self._grow(part, "refusal", text)
        self._of("response.refusal.delta", **self._at(), delta=text)

    def call(self, place: int, id: str, name: str, arguments: str) -> None:
        """Tell a call, or a piece of one: only the first has an id and a name."""
        item = self._open
        if item is None or "call_id" not in item or self._place != place:
            if place in self._places:
                raise ProviderError("The provider mixed two calls of tools.", code="upstream_invalid")
            self._places.add(place)
            item = self._begin_call(id, self._named.get(name) or {"type": "function_call", "name": name})
            self._place = place
        if arguments and item["type"] == CALLS["custom"]:
            self._grow(self._arguments, "arguments", arguments)
        elif arguments:
            self._grow(item, "arguments", arguments)
            self._of("response.function_call_arguments.delta", delta=arguments)

    def end(self, usage: dict[str, Any] | None, *, reason: str | None, at: int) -> None:
        """End the answer: as completed, or as incomplete for a reason."""
        if not reason and all(item["type"] == "reasoning" for item in self._response["output"]):
            self._part({"type": "output_text", "annotations": [], "logprobs": [], "text": ""})  # it said nothing
        self._leave("incomplete" if reason else "completed")
        status = "incomplete" if reason else "completed"
        self._response |= {"status": status, "usage": usage}
        self._response["incomplete_details" if reason else "completed_at"] = {"reason": reason} if reason else at
        self._emit(f"response.{status}", response=self.response)

    def fail(self, code: str, message: str, param: str | None, kind: str) -> None:
        """Say that the answer broke off: once as an error, and once as what became of the response."""
        self._emit("error", code=code, message=message, param=param)
        self._response |= {"status": "failed", "error": {"code": kind, "message": message}, "completed_at": None}
        if self._open is not None:
            self._open["status"] = "incomplete"
        self._emit("response.failed", response=self.response)

    def drop(self) -> None:
        """Say that there will be no answer, since somebody cancelled it; clients know no event of that name."""
        self._response |= {"status": "cancelled", "completed_at": None}
        self._emit("response.failed", response=self.response)

    def again(self, response: dict[str, Any]) -> None:
        """End with a response that was told before, word for word."""
        self._leave(response.get("status", "completed"))
        self._emit(f"response.{response.get('status', 'completed')}", response=response)

    def _grow(self, holder: Item, name: str, text: str) -> None:
        """Keep a piece of a long text; put together when it is asked for, since joining each time would copy it all."""
        if self._growing is None or self._growing[0] is not holder:
            self._settle()
            self._growing = holder, name
        self._pieces.append(text)

    def _settle(self) -> None:
        if self._growing is not None:
            holder, name = self._growing
            holder[name] += "".join(self._pieces)
            self._growing, self._pieces = None, []
        if self._open is None:
            return
        if self._details:
            self._open["encrypted_content"] = sealed(self._details)
        if self._open["type"] == CALLS["custom"]:  # also of one that broke off: it is recorded, and counts
            self._open["input"] = input_of(self._arguments["arguments"])

    def _snapshot(self) -> dict[str, Any]:
        return {**self._response, "output": list(self._response["output"])}

    def _emit(self, name: str, **more: Any) -> None:
        self._events.append({"type": name, "sequence_number": self._number, **more})
        self._number += 1

    def _of(self, name: str, **more: Any) -> None:
        """Tell something of the open item."""
        assert self._open is not None
        self._emit(name, item_id=self._open["id"], output_index=len(self._response["output"]) - 1, **more)

    def _at(self) -> dict[str, int]:
        assert self._open is not None
        return {"content_index": len(self._open["content"]) - 1}

    def _enter(self, prefix: str, item: Item) -> Item:
        self._leave("completed")
        output = self._response["output"]
        name = f"{prefix}_{self._response['id'].removeprefix('resp_')}{len(output):02d}"
        self._open = {"id": name, **item, "status": "in_progress"}
        output.append(self._open)
        self._emit("response.output_item.added", output_index=len(output) - 1, item=_as_it_is(self._open))
        return self._open

    def _begin_call(self, id: str, item: Item) -> Item:
        if item["type"] == CALLS["custom"]:
            self._leave("completed")  # first: what it was called with is in what is begun again
            self._arguments = {"arguments": ""}
            return self._enter("ctc", {**item, "call_id": id, "input": ""})
        return self._enter("fc", {**item, "call_id": id, "arguments": ""})

    def _thinking(self) -> Item:
        if self._open is not None and self._open["type"] == "reasoning":
            return self._open
        return self._enter("rs", {"type": "reasoning", "summary": []})

    def _part(self, fresh: dict[str, Any]) -> dict[str, Any]:
        """Return the growing part of the open message; other parts of it are over."""
        item = self._open
        if item is None or item["type"] != "message":
            item = self._enter("msg", {"type": "message", "role": "assistant", "content": []})
        if not item["content"] or item["content"][-1]["type"] != fresh["type"]:
            self._end_part(item)
            item["content"].append(fresh)
            self._of("response.content_part.added", **self._at(), part=_as_it_is(fresh))
        part: dict[str, Any] = item["content"][-1]
        return part

    def _end_part(self, item: Item) -> None:
        if not item["content"]:
            return
        self._settle()
        part = item["content"][-1]
        if part["type"] == "refusal":
            self._of("response.refusal.done", **self._at(), refusal=part["refusal"])
        else:
            self._of("response.output_text.done", **self._at(), text=part["text"], logprobs=part["logprobs"])
        self._of("response.content_part.done", **self._at(), part=part)

    def _leave(self, status: str) -> None:
        item = self._open
        if item is None:
            return
        self._settle()
        if item["type"] == "message":
            self._end_part(item)
        elif item["type"] == "function_call":
            item["arguments"] = item["arguments"] or "{}"
            self._of("response.function_call_arguments.done", arguments=item["arguments"])
        elif item["type"] == CALLS["custom"]:
            self._of("response.custom_tool_call_input.delta", delta=item["input"])
            self._of("response.custom_tool_call_input.done", input=item["input"])
        elif item["summary"]:
            part = item["summary"][0]
            self._of("response.reasoning_summary_text.done", summary_index=0, text=part["text"])
            self._of("response.reasoning_summary_part.done", summary_index=0, part=part)
        item["status"] = status
        self._emit("response.output_item.done", output_index=len(self._response["output"]) - 1, item=item)
        self._open, self._details = None, []


def _as_it_is(item: Item) -> Item:
    """Return what may still grow as it is now."""
    return {name: list(value) if isinstance(value, list) else value for name, value in item.items()}
