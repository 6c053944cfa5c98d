"""Send a call to its provider, with retries where they are safe: the provider was not reached, or is busy.

A request that may have been executed is never sent again. A retry waits as long as the provider asked for, or else
with exponential backoff and jitter. If the wait would be long, the error goes to the pin's fallbacks or the caller.
"""

import asyncio
import random
import time
from functools import lru_cache

from console import outbound
from console.core.cached_settings import settings
from console.core.errors import ProviderError
from console.gateway.fallback import next_fallback
from console.gateway.types import Call
from console.providers.failures import without_secret

# Clients give up for good when they are told to wait for longer than two minutes.
_LONGEST_RETRY_AFTER = 120
_TRIES = 3
_LONGEST_PAUSE = 4.0
_STARTING_SECONDS = 2
_FIRST_PAUSE = {"upstream_unreachable": 0.05, "upstream_busy": 0.5, "too_many_connections": 0.5}
_NOT_SENT = frozenset({"upstream_unreachable", "address_refused", "upstream_tls", "too_many_connections"})


async def send(call: Call) -> outbound.Reply:
    """Return the provider's answer as soon as its head has arrived; raise ProviderError if there is none."""
    while True:
        try:
            return await _send_once(call)
        except ProviderError as error:
            release(call, error.code, error.message)
            pause = _pause_before_retry(call, error)
            if pause is None:
                raise
        await asyncio.sleep(pause)


def release(call: Call, code: str, sentence: str = "") -> None:
    """Give the call's permit back, and report how the call went (an empty code: well); once for each `send`."""
    if call.is_inside:
        call.is_inside = False
        permit, call.permit = call.permit, None
        version = call.plan.version
        call.gateway.provider_gate.leave(version.provider, permit, code=code, sentence=sentence, model=version.name)


async def _send_once(call: Call) -> outbound.Reply:
    plan = call.plan
    outgoing = plan.outgoing
    call.is_unused = True
    call.is_waiting = True
    try:
        call.permit = await call.gateway.provider_gate.enter(
            plan.version.provider, plan.lane, tokens=plan.prompt_tokens
        )
    finally:
        call.is_waiting = False
    call.is_inside = True
    call.attempts += 1
    call.sent_at, call.is_unused = call.sent_at or time.perf_counter(), False
    try:
        reply = await outbound.request(
            "POST",
            outgoing.url,
            headers=outgoing.headers,
            body=outgoing.body,
            deadlines=_deadlines(call),
            pool=call.gateway.connections,
        )
    except ProviderError as error:
        call.is_unused = error.code in _NOT_SENT
        if plan.version.provider.is_builtin and error.code == "upstream_unreachable":
            raise _starting() from None
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
    if plan.version.provider.is_builtin and reply.status == 503:
        raise _starting()
    failure = plan.kind.failure(reply.status, without_secret(raw, plan.version.provider.secret))
    if failure.status == 503 and reply.retry_after.isdecimal():
        failure.retry_after = min(int(reply.retry_after[:6]), _LONGEST_RETRY_AFTER)
    raise failure


def _starting() -> ProviderError:
    """Return the error while the built-in model is starting, which takes seconds: nothing is broken."""
    sentence = "The built-in model is starting; try again in a few seconds."
    return ProviderError(sentence, status=503, code="upstream_unreachable", retry_after=_STARTING_SECONDS)


def _pause_before_retry(call: Call, error: ProviderError) -> float | None:
    """Return how many seconds to wait before a retry; None if it is not safe or not worth it."""
    pause = _FIRST_PAUSE.get(error.code)
    if pause is None or call.attempts >= _TRIES or error.status == 504:
        return None
    if error.code == "upstream_busy" and next_fallback(call, error) is not None:
        return None  # another version is there at once
    pause = max(pause * 2 ** (call.attempts - 1) * random.uniform(0.5, 1.5), error.retry_after or 0)  # noqa: S311
    return pause if pause <= _LONGEST_PAUSE else None


def _deadlines(call: Call) -> outbound.Deadlines:
    silence = call.plan.version.provider.first_byte_seconds or settings.GATEWAY_SILENCE_SECONDS
    return _deadlines_of(settings.GATEWAY_CONNECT_SECONDS, silence)


@lru_cache(maxsize=256)
def _deadlines_of(connect: float, silence: float) -> outbound.Deadlines:
    return outbound.Deadlines(connect, silence)
