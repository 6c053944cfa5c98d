"""Add a usage to answers of providers that count no tokens: the estimate the call is charged with.

Clients sum up the usage of answers, and many break if one has none.
"""

from collections.abc import Callable
from typing import Any

import orjson

from console.core import sse
from console.gateway.messages import answer as messages
from console.gateway.meter import answer_text, estimated, usage_shape
from console.gateway.operations.types import ReadAnswer
from console.gateway.responses import answer as responses
from console.gateway.types import Call
from console.providers.types import StreamReader, TellsUsage, Usage

_SHAPES: dict[str, Callable[[Usage], Any]] = {
    "chat": usage_shape,
    "completion": usage_shape,
    "response": responses.usage_shape,
    "message": messages.usage_shape,
}
_CHUNKS = {"chat": "chat.completion.chunk", "completion": "text_completion"}


def with_usage(call: Call, read: ReadAnswer) -> ReadAnswer:
    """Return a whole answer that has a usage, for the client and for the log."""
    shape = _SHAPES.get(call.plan.ask.operation)
    if read.usage is not None or shape is None:
        return read
    call.estimate = estimated(call, read.output)
    body = orjson.dumps({**orjson.loads(read.body), "usage": shape(call.estimate)})
    return ReadAnswer(body, None, body.decode("utf-8", "replace"))


def last_frames(call: Call, reader: StreamReader) -> bytes:
    """Return the last frames of a stream, with its usage if the client asked for it."""
    ask = call.plan.ask
    if reader.usage is not None:
        return reader.last_frames
    answer = reader.answer()
    call.estimate = estimated(call, answer_text(answer, None))
    if isinstance(reader, TellsUsage):
        reader.count(call.estimate)
    if ask.operation not in _CHUNKS or not ask.include_usage:
        return reader.last_frames
    head = {name: answer[name] for name in ("id", "created", "model", "system_fingerprint") if name in answer}
    usage = usage_shape(call.estimate)
    frame = sse.frame({**head, "object": _CHUNKS[ask.operation], "choices": [], "usage": usage})
    return reader.last_frames.removesuffix(sse.DONE) + frame + sse.DONE
