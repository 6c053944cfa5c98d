"""Call the provider of an open call and pass its bytes on. However that ends, the end is recorded here."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import NamedTuple

from console import outbound
from console.audit.models import Status
from console.core.cached_settings import settings
from console.core.deadline import Deadline
from console.core.errors import ProviderError, Unavailable
from console.core.lanes import Lane
from console.gateway import shadow
from console.gateway.answer_usage import last_frames, with_usage
from console.gateway.dispatch import release
from console.gateway.errors import AnswerUnrecorded
from console.gateway.fallback import fall_back, next_fallback, seconds_left
from console.gateway.hedging import send_hedged
from console.gateway.meter import answer_text, end_record
from console.gateway.operations import OPERATIONS
from console.gateway.operations.types import ReadAnswer
from console.gateway.targets import is_fallback
from console.gateway.types import Call, Outcome
from console.providers.types import StreamReader

log = logging.getLogger(__name__)

_LARGE_ANSWER = 128 * 1024


async def _close(call: Call, outcome: Outcome, *, falls_back: bool = False) -> None:
    """Record the end of a call, once; with `falls_back`, that of an attempt after which another version is tried.

    Raises AnswerUnrecorded if an answered call has another end in the log: this process was stalled, and the sweeper
    closed the call.
    """
    release(call, outcome.code or ("" if outcome.status == Status.OK else outcome.status), outcome.reason)
    if call.is_closed:
        return
    call.is_closed = True
    if call.first_token and call.plan.lane == Lane.INTERACTIVE:
        call.gateway.provider_gate.pace.observe(time.monotonic(), call.first_token - call.started)
    ledger = call.gateway.ledger
    if await ledger.close(end_record(call, outcome, falls_back)) or outcome.status != Status.OK:
        return
    if not await ledger.has_ended(call.plan.ask.id, outcome.status):
        raise AnswerUnrecorded


async def _fail(call: Call, error: ProviderError) -> int | None:
    """Close an attempt that failed before its first byte; return the step to continue with, if there is one."""
    step = next_fallback(call, error)
    await _close(call, Outcome("error", error.status, error.code, error.message), falls_back=step is not None)
    return step


async def give_up(call: Call, code: str) -> None:
    """Close an open call that came too late to be sent."""
    await _close(call, Outcome("error", None, code))


async def _end_loser(call: Call, error: ProviderError | None) -> None:
    """Close the hedged attempt that lost against the other one."""
    if error is not None:
        await _close(call, Outcome("error", error.status, error.code, error.message))
    else:
        await _close(call, Outcome("error", None, "hedged", "Another attempt answered first."))


def _cancelled(call: Call, http_status: int | None = None) -> Outcome:
    """Return the outcome of a call whose task was cancelled: by the watch, or because the process stops."""
    if call.cut_off:
        return Outcome("error", http_status, call.cut_off)
    if call.has_client_left:
        return Outcome("client_disconnected", http_status)
    return Outcome("interrupted", http_status, "shutting_down")


async def _read(call: Call, raw: bytes) -> ReadAnswer:
    """Parse a whole answer; a large one (many embeddings, say) in a thread, so that it does not stall other streams."""
    plan = call.plan
    read = OPERATIONS[plan.ask.operation].read
    if len(raw) > _LARGE_ANSWER:
        return await asyncio.to_thread(read, plan.version.provider.kind, raw, plan.ask)
    return read(plan.version.provider.kind, raw, plan.ask)


async def answer(call: Call) -> bytes:
    """Relay a plain call and return the answer's body, after the call is recorded."""
    while True:
        try:
            body = await _answer(call)
        except _FallBack as failed:
            await fall_back(call, failed.step, failed.error)
        else:
            shadow.copy_soon(call)
            return body


class _FallBack(Exception):
    """An attempt failed and is recorded; the call continues at this step of its pin's chain."""

    def __init__(self, step: int, error: ProviderError) -> None:
        self.step, self.error = step, error


def _timeout(call: Call) -> float:
    """Return how many seconds an attempt may take: a fallback no more than what is left of the whole call's time."""
    seconds = call.plan.version.provider.total_seconds or settings.GATEWAY_TOTAL_SECONDS
    return min(seconds, seconds_left(call)) if is_fallback(call.plan.step) else seconds


async def _answer(call: Call) -> bytes:
    try:
        with Deadline(call.gateway.ticker, _timeout(call)):
            reply = await send_hedged(call, _end_loser)
            try:
                raw = await reply.read(settings.GATEWAY_ANSWER_BYTES)
            finally:
                reply.close()
        call.answered = time.perf_counter()
        if "json" not in reply.content_type:
            raise ProviderError("The provider's answer is not JSON.", code="upstream_invalid")
        read = with_usage(call, await _read(call, raw))
    except ProviderError as error:
        if step := await _fail(call, error):
            raise _FallBack(step, error) from error
        raise
    except TimeoutError:
        late = ProviderError("The provider took too long.", status=504, code="upstream_timeout")
        if step := await _fail(call, late):
            raise _FallBack(step, late) from None
        raise late from None
    except asyncio.CancelledError:
        await asyncio.shield(_close(call, _cancelled(call)))
        raise
    except Exception as error:
        await _close(call, Outcome("error", 500, "internal_error", type(error).__name__))
        raise
    if call.plan.ask.operation != "embedding":  # embeddings have no first token, and would only flatter the figures
        call.first_token = call.answered
    await _close(call, Outcome("ok", 200, usage=read.usage, output=read.output))
    return read.body


class Frames:
    """The frames of one stream. Read them to the end or close them (`contextlib.aclosing`), also when none was read."""

    def __init__(self, call: Call, opened: "_OpenStream") -> None:
        self._call, self._reply = call, opened.reply
        self._frames = _relay(call, opened)

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return self._frames

    async def aclose(self) -> None:
        await self._frames.aclose()
        self._reply.close()
        if not self._call.is_closed:  # the generator never ran, so its `finally` did not either
            await asyncio.shield(_close(self._call, _cancelled(self._call)))


async def stream(call: Call) -> Frames:
    """Open the provider's stream and return its frames; awaited before the response starts, so errors keep a status."""
    while True:
        try:
            return Frames(call, await _open_stream(call))
        except _FallBack as failed:
            await fall_back(call, failed.step, failed.error)


class _OpenStream(NamedTuple):
    """A stream whose first bytes have arrived: many providers send the head at once and fail after it."""

    reply: outbound.Reply
    reader: StreamReader
    size: int
    forward: bytes  # what the first bytes are for the client


async def _begin(call: Call, reply: outbound.Reply) -> _OpenStream:
    try:
        if "event-stream" not in reply.content_type:
            raise ProviderError("The provider did not answer with a stream.", code="upstream_invalid")
        plan = call.plan
        reader = OPERATIONS[plan.ask.operation].reader(plan.version.provider.kind, plan.ask)
        call.reader = reader
        chunk = await reply.chunk()
        if not chunk:
            raise ProviderError("The provider's answer was cut off.", code="upstream_truncated")
        return _OpenStream(reply, reader, len(chunk), reader.feed(chunk))
    except BaseException:
        reply.close()
        raise


async def _open_stream(call: Call) -> _OpenStream:
    try:
        return await _begin(call, await send_hedged(call, _end_loser))
    except ProviderError as error:
        if step := await _fail(call, error):
            raise _FallBack(step, error) from error
        raise
    except asyncio.CancelledError:
        await asyncio.shield(_close(call, _cancelled(call)))
        raise
    except Exception as error:
        await _close(call, Outcome("error", 500, "internal_error", type(error).__name__))
        raise _internal_error(error) from error


def _internal_error(error: Exception) -> ProviderError:
    """Log a fault of ours in a stream, and return what the client hears of it."""
    log.error("A stream could not be read.", exc_info=error)
    return ProviderError("Something broke on our side.", status=500, code="internal_error")


async def _relay(call: Call, opened: _OpenStream) -> AsyncGenerator[bytes, None]:
    reply, reader, size, forward = opened
    outcome = Outcome("client_disconnected", 200)
    latest = call.started + settings.GATEWAY_STREAM_SECONDS
    is_over = False
    try:
        while True:
            if reader.has_content and not call.first_token:
                call.first_token = time.perf_counter()
            if forward:
                yield forward
            if size > settings.GATEWAY_ANSWER_BYTES:
                raise ProviderError(
                    "The provider's answer is larger than this installation accepts.", code="upstream_too_large"
                )
            if time.perf_counter() > latest:
                raise ProviderError("The answer took longer than a stream may.", status=504, code="stream_too_long")
            if reader.is_complete or is_over:
                break
            chunk = await reply.chunk()
            size, is_over = size + len(chunk), not chunk
            forward = reader.finish() if is_over else reader.feed(chunk)
        call.answered = time.perf_counter()
        if not reader.is_complete:
            raise ProviderError("The provider's answer was cut off.", code="upstream_truncated")
        last = last_frames(call, reader)
        await _close(call, Outcome("ok", 200, usage=reader.usage, output=_output(call, reader)))
        shadow.copy_soon(call)
        yield last
    except ProviderError as error:
        outcome = Outcome("error", 200, error.code, error.message)
        raise
    except asyncio.CancelledError:
        outcome = _cancelled(call, 200)
        raise
    except Unavailable as error:
        raise ProviderError(error.message, status=error.status, code=error.code) from error
    except Exception as error:
        outcome = Outcome("error", 200, "internal_error", type(error).__name__)
        raise _internal_error(error) from error
    finally:
        reply.close()
        if not call.is_closed:
            outcome = outcome._replace(usage=reader.usage, output=_output(call, reader))
            with suppress(Unavailable):
                await asyncio.shield(_close(call, outcome))


def _output(call: Call, reader: StreamReader) -> str:
    return answer_text(reader.answer(), reader.usage or call.estimate)
