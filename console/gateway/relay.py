"""Between open and close: call the provider and let its bytes pass. However that ends, the end is written here."""

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
from console.gateway import shadowing
from console.gateway.counting import counted, last_frames
from console.gateway.errors import AnswerUnrecorded
from console.gateway.falling_back import following, go_on, seconds_left
from console.gateway.hedging import send_hedged
from console.gateway.meter import answer_text, end_record
from console.gateway.operations import OPERATIONS
from console.gateway.operations.types import Read
from console.gateway.sending import leave
from console.gateway.targets import is_fallback
from console.gateway.types import Call
from console.providers.types import StreamReader, Usage

log = logging.getLogger(__name__)

_LARGE_ANSWER = 128 * 1024


async def _close(
    call: Call,
    *,
    status: str,
    http_status: int | None,
    usage: Usage | None = None,
    output: str | None = None,
    code: str = "",
    reason: str = "",
    goes_on: bool = False,
) -> None:
    """Write the end of a call, once; with `goes_on`, that of an attempt after which another version is tried.

    Raises AnswerUnrecorded where the log says another end of an answer: this process was away, and the sweeper came.
    """
    leave(call, code or ("" if status == "ok" else status), reason)
    if call.is_closed:
        return
    call.is_closed = True
    if call.first_token and call.plan.lane == Lane.INTERACTIVE:
        call.here.passage.pace.saw(time.time(), call.first_token - call.started)
    end = end_record(call, status, http_status, usage, output, code, reason, goes_on)
    ledger = call.here.ledger
    if not await ledger.close(end) and status == Status.OK and not await ledger.has_ended(call.plan.ask.id, status):
        raise AnswerUnrecorded


async def _fail(call: Call, error: ProviderError) -> int | None:
    """Close an attempt that failed before its first byte; return the step to go on with, if there is one."""
    step = following(call, error)
    await _close(
        call,
        status="error",
        http_status=error.status,
        code=error.code,
        reason=error.message,
        goes_on=step is not None,
    )
    return step


async def give_up(call: Call, code: str) -> None:
    """Close a call that is open and of which nothing was sent, because it came too late."""
    await _close(call, status="error", http_status=None, code=code)


async def _end_loser(call: Call, error: ProviderError | None) -> None:
    """Close the attempt that lost against another for the same request."""
    code, reason = (error.code, error.message) if error else ("hedged", "Another attempt answered first.")
    await _close(call, status="error", http_status=error.status if error else None, code=code, reason=reason)


def _ended_by(call: Call) -> tuple[str, str]:
    """Return status and code of a call whose task was cancelled: by the watch, or because the process stops."""
    if call.cut_off:
        return "error", call.cut_off
    return ("client_disconnected", "") if call.has_client_left else ("interrupted", "shutting_down")


async def _read(call: Call, raw: bytes) -> Read:
    """Read a whole answer; a large one, as many vectors are, where it does not hold up everybody else's streams."""
    plan = call.plan
    read = OPERATIONS[plan.ask.operation].read
    if len(raw) > _LARGE_ANSWER:
        return await asyncio.to_thread(read, plan.version.provider.kind, raw, plan.ask)
    return read(plan.version.provider.kind, raw, plan.ask)


async def answer(call: Call) -> bytes:
    """Relay a plain call and return the answer's body, after the call is on record."""
    while True:
        try:
            body = await _answer(call)
        except _GoesOn as failed:
            await go_on(call, failed.step, failed.error)
        else:
            shadowing.copy_soon(call)
            return body


class _GoesOn(Exception):
    """An attempt failed and is on record; the call goes on at this step of its pin's chain."""

    def __init__(self, step: int, error: ProviderError) -> None:
        self.step, self.error = step, error


def _most_seconds(call: Call) -> float:
    """Return how long an attempt may take: what its provider may; of a fallback, what is left of the whole at most."""
    most = call.plan.version.provider.total_seconds or settings.GATEWAY_TOTAL_SECONDS
    return min(most, seconds_left(call)) if is_fallback(call.plan.step) else most


async def _answer(call: Call) -> bytes:
    try:
        with Deadline(call.here.ticker, _most_seconds(call)):
            reply = await send_hedged(call, _end_loser)
            try:
                raw = await reply.read(settings.GATEWAY_ANSWER_BYTES)
            finally:
                reply.close()
        call.answered = time.perf_counter()
        if "json" not in reply.content_type:
            raise ProviderError("The provider's answer is not JSON.", code="upstream_invalid")
        read = counted(call, await _read(call, raw))
    except ProviderError as error:
        if step := await _fail(call, error):
            raise _GoesOn(step, error) from error
        raise
    except TimeoutError:
        late = ProviderError("The provider took too long.", status=504, code="upstream_timeout")
        if step := await _fail(call, late):
            raise _GoesOn(step, late) from None
        raise late from None
    except asyncio.CancelledError:
        status, code = _ended_by(call)
        await asyncio.shield(_close(call, status=status, http_status=None, code=code))
        raise
    except Exception as broken:
        await _close(call, status="error", http_status=500, code="internal_error", reason=type(broken).__name__)
        raise
    if call.plan.ask.operation != "embedding":  # vectors have no first token, and would only flatter the figures
        call.first_token = call.answered
    await _close(call, status="ok", http_status=200, usage=read.usage, output=read.kept)
    return read.body


class Frames:
    """The frames of one stream. Read them to the end or close them (`contextlib.aclosing`), also when none was read."""

    def __init__(self, call: Call, begun: "_Begun") -> None:
        self._call, self._reply = call, begun.reply
        self._frames = _relay(call, begun)

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return self._frames

    async def aclose(self) -> None:
        await self._frames.aclose()
        self._reply.close()
        if not self._call.is_closed:  # the generator never ran, so its `finally` did not either
            status, code = _ended_by(self._call)
            await asyncio.shield(_close(self._call, status=status, http_status=None, code=code))


async def stream(call: Call) -> Frames:
    """Open the provider's stream and return its frames; awaited before the response starts, so errors keep a status."""
    while True:
        try:
            return Frames(call, await _open_stream(call))
        except _GoesOn as failed:
            await go_on(call, failed.step, failed.error)


class _Begun(NamedTuple):
    """A stream whose first bytes are here. Many providers send the head at once and fail after it."""

    reply: outbound.Reply
    reader: StreamReader
    size: int
    forward: bytes  # what the first bytes are for the client


async def _begin(call: Call, reply: outbound.Reply) -> _Begun:
    try:
        if "event-stream" not in reply.content_type:
            raise ProviderError("The provider did not answer with a stream.", code="upstream_invalid")
        plan = call.plan
        reader = OPERATIONS[plan.ask.operation].reader(plan.version.provider.kind, plan.ask)
        call.reader = reader
        chunk = await reply.chunk()
        if not chunk:
            raise ProviderError("The provider's answer broke off.", code="upstream_truncated")
        return _Begun(reply, reader, len(chunk), reader.feed(chunk))
    except BaseException:
        reply.close()
        raise


async def _open_stream(call: Call) -> _Begun:
    try:
        return await _begin(call, await send_hedged(call, _end_loser))
    except ProviderError as error:
        if step := await _fail(call, error):
            raise _GoesOn(step, error) from error
        raise
    except asyncio.CancelledError:
        status, code = _ended_by(call)
        await asyncio.shield(_close(call, status=status, http_status=None, code=code))
        raise
    except Exception as broken:
        said = _broken(broken)
        await _close(call, status="error", http_status=500, code=said.code, reason=type(broken).__name__)
        raise said from broken


def _broken(broken: Exception) -> ProviderError:
    """Return what the client hears of a fault of ours in a stream; the rest is for the log."""
    log.error("A stream could not be read.", exc_info=broken)
    return ProviderError("Something broke on our side.", status=500, code="internal_error")


async def _relay(call: Call, begun: _Begun) -> AsyncGenerator[bytes, None]:
    reply, reader, size, forward = begun
    status, code, reason = "client_disconnected", "", ""
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
            raise ProviderError("The provider's answer broke off.", code="upstream_truncated")
        last = last_frames(call, reader)
        await _close(call, status="ok", http_status=200, usage=reader.usage, output=_output(call, reader))
        shadowing.copy_soon(call)
        yield last
    except ProviderError as error:
        status, code, reason = "error", error.code, error.message
        raise
    except asyncio.CancelledError:
        status, code = _ended_by(call)
        raise
    except Unavailable as lost:
        raise ProviderError(lost.message, status=lost.status, code=lost.code) from lost
    except Exception as broken:
        said = _broken(broken)
        status, code, reason = "error", said.code, type(broken).__name__
        raise said from broken
    finally:
        reply.close()
        if not call.is_closed:
            ending = _close(
                call,
                status=status,
                http_status=200,
                usage=reader.usage,
                output=_output(call, reader),
                code=code,
                reason=reason,
            )
            with suppress(Unavailable):
                await asyncio.shield(ending)


def _output(call: Call, reader: StreamReader) -> str:
    return answer_text(reader.answer(), reader.usage or call.estimate)
