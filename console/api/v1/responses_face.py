"""OpenAI's specifics of /v1/responses: how streams fail and are replayed."""

from typing import Any

from console.core.errors import ProviderError
from console.core.sse import named_frames
from console.gateway.responses.answer import frame_of
from console.gateway.responses.events import ResponseEvents
from console.gateway.responses.stream import ResponseStream
from console.gateway.responses.tools import CALLS, arguments_of, full_name
from console.gateway.types import Call


def failing(call: Call, status: int, error: dict[str, Any]) -> bytes:
    """Return the events that end a stream after an error, numbered on from those that were sent."""
    reader = call.reader
    if not isinstance(reader, ResponseStream):  # only heartbeats were sent
        events = ResponseEvents(frame_of(call.plan.ask))
        events.fail(error["code"], error["message"], error["param"], "server_error")
        return named_frames(events.take())
    return reader.fail(ProviderError(error["message"], status=status, code=error["code"], param=error["param"]))


def as_stream(response: dict[str, Any]) -> bytes:
    """Return a whole response as the stream a client would have got: each part in one piece."""
    begun: dict[str, Any] = {
        "status": "in_progress",
        "output": [],
        "usage": None,
        "completed_at": None,
        "incomplete_details": None,
    }
    events = ResponseEvents({**response, **begun})
    for place, item in enumerate(response.get("output", ())):
        if item.get("type") in CALLS.values():
            events.call(place, item.get("call_id", ""), full_name(item), arguments_of(item))
        elif item.get("type") == "reasoning":
            for part in item.get("summary", ()):
                events.thought(part.get("text", ""))
            if item.get("encrypted_content"):
                events.carry(item["encrypted_content"])
        else:
            for part in item.get("content", ()):
                if part.get("type") == "refusal":
                    events.refusal(part.get("refusal", ""), [])
                else:
                    events.text(part.get("text", ""), part.get("logprobs") or [])
    events.again(response)
    return named_frames(events.take())
