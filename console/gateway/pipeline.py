"""One request: open, relay, close. Every face of the console ends up here.

open    plan from the snapshot, then one batched statement: epoch, quotas, start record. Refusals are raised here.
relay   call the provider; its bytes pass through, no database connection is held
close   settle and write the end record, exactly once, however the call ended
"""

import asyncio
import logging
import time
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import psycopg
from django.conf import settings

from console import outbound
from console.audit.redaction import prepare_payload
from console.core.clock import now
from console.core.errors import ProviderError, Refusal, Unavailable
from console.gateway.identity import KeyRefused
from console.gateway.ledger import Begin, Ledger
from console.gateway.limits import quota_refused, refusal_fields, remaining_after
from console.gateway.meter import answer_text, end_record
from console.gateway.plan import make_plan, start_record
from console.gateway.snapshot import Snapshot, SnapshotKeeper
from console.gateway.types import Ask, Asker, Call
from console.providers.types import StreamReader, Usage
from console.teams import refusals

log = logging.getLogger(__name__)

Identify = Callable[[Snapshot], Asker]

# A plan that is stale this often in a row means somebody changes settings in a loop.
_TRIES = 8
# Clients give up for good when they are told to wait for longer than two minutes.
_LONGEST_RETRY_AFTER = 120


class Gateway:
    """What the pipeline keeps per event loop: the snapshot, and the ledger's connections."""

    def __init__(self) -> None:
        self.snapshots = SnapshotKeeper()
        self.ledger = Ledger()
        self._refreshed = 0.0
        self._refreshing: asyncio.Task[None] | None = None

    def refresh_soon(self) -> None:
        """Look for a newer epoch, at most once a second; for streams, which begin once and then run for long."""
        moment = time.monotonic()
        if moment - self._refreshed < 1.0 or (self._refreshing is not None and not self._refreshing.done()):
            return
        self._refreshed = moment
        self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        snapshot = self.snapshots.current
        with suppress(psycopg.Error, Unavailable):
            if snapshot is not None and await self.ledger.epoch() != snapshot.epoch:
                await self.snapshots.newer_than(snapshot)


_gateways: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway]" = weakref.WeakKeyDictionary()


def gateway() -> Gateway:
    """Return the running event loop's gateway."""
    loop = asyncio.get_running_loop()
    found = _gateways.get(loop)
    if found is None:
        found = _gateways[loop] = Gateway()
    return found


async def stop() -> None:
    """Write what has queued and close all connections of this event loop."""
    loop = asyncio.get_running_loop()
    found = _gateways.get(loop)
    if found is not None:
        await found.ledger.stop()
        _gateways.pop(loop, None)
    await outbound.close()


async def open_call(identify: Identify, ask: Ask, *, started: float | None = None) -> Call:
    """Make everything true that must be true before a byte leaves the house; raise Refusal otherwise.

    `identify` resolves the credentials against a snapshot. It is asked again with the plan when the snapshot was stale,
    so a revoked key is refused by the very next call.
    """
    began = started or time.perf_counter()
    here = gateway()
    snapshot = await here.snapshots.get()
    for _ in range(_TRIES):
        asker: Asker | None = None
        try:
            asker = identify(snapshot)
            plan = make_plan(snapshot, asker, ask, default_output=settings.GATEWAY_MAX_OUTPUT_TOKENS)
        except Refusal as refusal:
            if await _record_refusal(here, snapshot, asker, ask, refusal, began):
                snapshot = await here.snapshots.newer_than(snapshot)
                continue
            raise
        kept = prepare_payload(ask.text)
        plan.record["input_sha256"] = kept.stored_sha256.hex()
        fields = tuple(refusal_fields(charge) for charge in plan.charges)
        verdict = await here.ledger.begin(Begin(plan.epoch, plan.record, plan.charges, input=kept, refusals=fields))
        if verdict.is_stale:
            snapshot = await here.snapshots.newer_than(snapshot)
            continue
        if verdict.refused_by is not None:
            raise quota_refused(plan, verdict)
        call = Call(plan=plan, started=began, remaining=remaining_after(plan, verdict))
        return call
    raise Unavailable("The settings are changing faster than requests can be planned; try again.", retry_after=1)


async def _record_refusal(
    here: Gateway, snapshot: Snapshot, asker: Asker | None, ask: Ask, refusal: Refusal, began: float
) -> bool:
    """Write a refusal's line; return True, having written nothing, when the snapshot it was decided on is stale.

    Strangers' keys are counted, not written: a malformed one without asking the database, an unknown one after making
    sure that it was not created a moment ago.
    """
    if isinstance(refusal, KeyRefused) and refusal.is_noise:
        if refusal.reason == "unknown" and await here.ledger.epoch() != snapshot.epoch:
            return True
        refusals.note(refusal.reason, client_address=ask.client_address)
        return False
    record = start_record(
        asker,
        ask,
        epoch=snapshot.epoch,
        status="refused",
        http_status=refusal.status,
        code=refusal.code,
        reason=(getattr(refusal, "reason", "") or refusal.message)[:500],
        closed_at=now(),
        latency_us=round((time.perf_counter() - began) * 1_000_000),
        **getattr(refusal, "record", {}),
    )
    kept = prepare_payload(ask.text) if asker is not None and ask.text else None
    if kept is not None:
        record["input_sha256"] = kept.stored_sha256.hex()
    return (await here.ledger.begin(Begin(snapshot.epoch, record, is_refusal=True, input=kept))).is_stale


async def refuse(
    identify: Identify, ask: Ask, refusal: Refusal, *, started: float | None = None, is_for_anybody: bool = False
) -> Refusal:
    """Record a refusal decided outside (a malformed body, say) and return what the caller should hear.

    Somebody whose credentials are no good hears only that; unless it is `is_for_anybody`, as two keys at once are, and
    no key of ours is concerned.
    """
    began = started or time.perf_counter()
    here = gateway()
    snapshot = await here.snapshots.get()
    for _ in range(_TRIES):
        asker, said = None, refusal
        try:
            asker = identify(snapshot)
        except KeyRefused as first:
            if is_for_anybody and first.is_noise:
                if first.reason == "unknown" and await here.ledger.epoch() != snapshot.epoch:
                    snapshot = await here.snapshots.newer_than(snapshot)
                    continue
                refusals.note(refusal.code, client_address=ask.client_address)
                return refusal
            said = first
        except Refusal as first:
            said = first
        if not await _record_refusal(here, snapshot, asker, ask, said, began):
            return said
        snapshot = await here.snapshots.newer_than(snapshot)
    return refusal


async def look_up(identify: Identify, ask: Ask, *, started: float | None = None) -> tuple[Snapshot, Asker]:
    """Resolve who asks, for a call that needs no model (a list of models); refusals are recorded."""
    began = started or time.perf_counter()
    here = gateway()
    snapshot = await here.snapshots.get()
    for _ in range(_TRIES):
        if await here.ledger.epoch() != snapshot.epoch:
            snapshot = await here.snapshots.newer_than(snapshot)
            continue
        try:
            return snapshot, identify(snapshot)
        except Refusal as refusal:
            if not await _record_refusal(here, snapshot, None, ask, refusal, began):
                raise
            snapshot = await here.snapshots.newer_than(snapshot)
    raise Unavailable("The settings are changing faster than requests can be planned; try again.", retry_after=1)


def _deadlines(call: Call) -> outbound.Deadlines:
    silence = call.plan.version.provider.first_byte_seconds or settings.GATEWAY_SILENCE_SECONDS
    return outbound.Deadlines(settings.GATEWAY_CONNECT_SECONDS, silence)


async def _send(call: Call) -> outbound.Reply:
    """Call the provider; a second time when it could not be reached at all, for then nothing was sent."""
    outgoing = call.plan.outgoing
    while True:
        call.attempts += 1
        call.sent, call.is_unused = call.sent or time.perf_counter(), False
        try:
            reply = await outbound.request(
                "POST", outgoing.url, headers=outgoing.headers, body=outgoing.body, deadlines=_deadlines(call)
            )
        except ProviderError as error:
            if error.code in {"upstream_unreachable", "address_refused", "upstream_tls"}:
                call.is_unused = True
            if error.code == "upstream_unreachable" and error.status == 502 and call.attempts == 1:
                await asyncio.sleep(0.05)
                continue
            raise
        if reply.status == 200:
            return reply
        try:
            raw = await reply.read(64 * 1024)
        except ProviderError:
            raw = b""
        finally:
            reply.close()
        call.is_unused = True
        failure = call.plan.kind.failure(reply.status, raw)
        if failure.status == 503 and reply.retry_after.isdigit():
            failure.retry_after = min(int(reply.retry_after[:6]), _LONGEST_RETRY_AFTER)
        raise failure


async def _close(
    call: Call,
    *,
    status: str,
    http_status: int | None,
    usage: Usage | None = None,
    output: str | None = None,
    code: str = "",
    reason: str = "",
) -> None:
    if call.is_closed:
        return
    call.is_closed = True
    here = gateway()
    await here.ledger.close(
        end_record(call, status=status, http_status=http_status, usage=usage, output=output, code=code, reason=reason)
    )


def _ended_by(call: Call) -> tuple[str, str]:
    """Return status and code of a call whose task was cancelled: by the watch, or because the process stops."""
    if call.cut_off:
        return "error", call.cut_off
    return ("client_disconnected", "") if call.has_client_left else ("interrupted", "shutting_down")


async def answer(call: Call) -> bytes:
    """Relay a plain call and return the answer's body, after the call is on record."""
    try:
        async with asyncio.timeout(call.plan.version.provider.total_seconds or settings.GATEWAY_TOTAL_SECONDS):
            reply = await _send(call)
            try:
                raw = await reply.read(settings.GATEWAY_ANSWER_BYTES)
            finally:
                reply.close()
        call.answered = time.perf_counter()
        if "json" not in reply.content_type:
            raise ProviderError("The provider's answer is not JSON.", code="upstream_invalid")
        read = call.plan.kind.read(raw, is_legacy=call.plan.ask.is_legacy)
    except ProviderError as error:
        await _close(call, status="error", http_status=error.status, code=error.code, reason=error.message)
        raise
    except TimeoutError:
        late = ProviderError("The provider took too long.", status=504, code="upstream_timeout")
        await _close(call, status="error", http_status=504, code=late.code, reason=late.message)
        raise late from None
    except asyncio.CancelledError:
        status, code = _ended_by(call)
        await asyncio.shield(_close(call, status=status, http_status=None, code=code))
        raise
    except Exception as broken:
        await _close(call, status="error", http_status=500, code="internal_error", reason=type(broken).__name__)
        raise
    call.first_token = call.answered
    await _close(call, status="ok", http_status=200, usage=read.usage, output=read.body.decode("utf-8", "replace"))
    return read.body


class Frames:
    """The frames of one stream. Read them to the end or close them (`contextlib.aclosing`), also when none was read."""

    def __init__(self, call: Call, reply: outbound.Reply, reader: StreamReader) -> None:
        self._call, self._reply = call, reply
        self._frames = _relay(call, reply, reader)

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
    try:
        reply = await _send(call)
        if "event-stream" not in reply.content_type:
            reply.close()
            raise ProviderError("The provider did not answer with a stream.", code="upstream_invalid")
    except ProviderError as error:
        await _close(call, status="error", http_status=error.status, code=error.code, reason=error.message)
        raise
    except asyncio.CancelledError:
        status, code = _ended_by(call)
        await asyncio.shield(_close(call, status=status, http_status=None, code=code))
        raise
    ask = call.plan.ask
    reader = call.plan.kind.reader(
        choices=ask.body.get("n") or 1, include_usage=ask.include_usage, is_legacy=ask.is_legacy
    )
    return Frames(call, reply, reader)


async def _relay(call: Call, reply: outbound.Reply, reader: StreamReader) -> AsyncGenerator[bytes, None]:
    status, code, reason = "client_disconnected", "", ""
    latest = call.started + settings.GATEWAY_STREAM_SECONDS
    size = 0
    try:
        while not reader.is_complete:
            chunk = await reply.chunk()
            forward = reader.feed(chunk) if chunk else reader.finish()
            if reader.has_content and not call.first_token:
                call.first_token = time.perf_counter()
            if forward:
                yield forward
            if not chunk:
                break
            size += len(chunk)
            if size > settings.GATEWAY_ANSWER_BYTES:
                raise ProviderError(
                    "The provider's answer is larger than this installation accepts.", code="upstream_too_large"
                )
            if time.perf_counter() > latest:
                raise ProviderError("The answer took longer than a stream may.", status=504, code="stream_too_long")
        call.answered = time.perf_counter()
        if not reader.is_complete:
            raise ProviderError("The provider's answer broke off.", code="upstream_truncated")
        await _close(call, status="ok", http_status=200, usage=reader.usage, output=_output(reader))
        yield reader.held
    except ProviderError as error:
        status, code, reason = "error", error.code, error.message
        raise
    except asyncio.CancelledError:
        status, code = _ended_by(call)
        raise
    except Unavailable as lost:
        raise ProviderError(lost.message, status=lost.status, code=lost.code) from lost
    except Exception as broken:
        status, code, reason = "error", "internal_error", type(broken).__name__
        log.exception("A stream could not be read.")
        raise ProviderError("Something broke on our side.", status=500, code=code) from broken
    finally:
        reply.close()
        if not call.is_closed:
            ending = _close(
                call,
                status=status,
                http_status=200,
                usage=reader.usage,
                output=_output(reader),
                code=code,
                reason=reason,
            )
            with suppress(Unavailable):
                await asyncio.shield(ending)


def _output(reader: StreamReader) -> str:
    return answer_text(reader.answer(), reader.usage)
