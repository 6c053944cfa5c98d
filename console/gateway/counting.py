"""What a client is told of an answer's tokens where the provider counted none: the estimate the call is charged with.

Clients add up what answers say, and many break where one says nothing.
"""

from collections.abc import Callable
from typing import Any

import orjson

from console.core import sse
from console.gateway.messages import answer as messages
from console.gateway.meter import answer_text, estimated, usage_shape
from console.gateway.operations.types import Read
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


def counted(call: Call, read: Read) -> Read:
    """Return a whole answer with its tokens, for the client and for the log alike."""
    shape = _SHAPES.get(call.plan.ask.operation)
    if read.usage is not None or shape is None:
        return read
    call.estimate = estimated(call, read.kept)
    body = orjson.dumps({**orjson.loads(read.body), "usage": shape(call.estimate)})
    return Read(body, None, body.decode("utf-8", "replace"))


def last_frames(call: Call, reader: StreamReader) -> bytes:
    """Return how a stream ends: telling what it used, to who asks for that, also where the provider counted nothing."""
    ask = call.plan.ask
    if reader.usage is not None:
        return reader.held
    answer = reader.answer()
    call.estimate = estimated(call, answer_text(answer, None))
    if isinstance(reader, TellsUsage):
        reader.count(call.estimate)
    if ask.operation not in _CHUNKS or not ask.include_usage:
        return reader.held
    head = {name: answer[name] for name in ("id", "created", "model", "system_fingerprint") if name in answer}
    usage = usage_shape(call.estimate)
    counted = sse.frame({**head, "object": _CHUNKS[ask.operation], "choices": [], "usage": usage})
    return reader.held.removesuffix(sse.DONE) + counted + sse.DONE
