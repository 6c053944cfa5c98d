"""Send one line through the pipeline, and return its result."""

import asyncio
import logging
from typing import Any

from console.batches.engine.outcomes import (
    Again,
    Done,
    Failed,
    Outcome,
    Stopped,
    Unknown,
    Used,
    of_provider_error,
    of_refusal,
)
from console.core.errors import ProviderError, Refusal
from console.gateway import pipeline
from console.gateway.errors import AnswerUnrecorded, QuotaExceeded
from console.gateway.identity import KeyRefused, PersonRefused, ScopeMissing
from console.gateway.limits import OF_END_USER
from console.gateway.refusals import Identify
from console.gateway.types import Ask, Call

log = logging.getLogger(__name__)

# The provider was not asked, or said that it has no room: this is nothing the line did.
_NOT_THE_LINE = frozenset(
    {"upstream_busy", "upstream_full", "upstream_open", "upstream_unreachable", "too_many_connections"}
)
_LONGEST_WAIT = 300.0
_PAUSE = 5.0


class Sending:
    """One line on its way. Made by the worker's thread; all else happens on the gateway's event loop."""

    def __init__(self) -> None:
        self._call: Call | None = None
        self._task: asyncio.Task[Any] | None = None

    async def send(self, identify: Identify, ask: Ask, *, latest: float) -> Outcome:
        """Return the outcome. After `latest` (monotonic) another worker may have the line; nothing begins then."""
        self._task = asyncio.current_task()
        try:
            return await self._send(identify, ask, latest)
        except asyncio.CancelledError:
            if self._task is None or self._call is None or not self._call.cut_off or self._task.uncancel():
                raise
            return Again(
                Failed(503, "given_up", "The batch was put down before the line's turn came."), 0, counts=False
            )

    def let_go(self) -> None:
        """Give the line up while it waits for its turn at the provider; what is in progress there continues."""
        if self._task is not None and self._call is not None and self._call.is_waiting:
            self._call.cut_off = "given_up"
            self._task.cancel()

    async def _send(self, identify: Identify, ask: Ask, latest: float) -> Outcome:
        try:
            self._call = call = await pipeline.open_by(identify, ask, latest)
            if call is None:
                return Unknown()
            return Done(await pipeline.answer(call), _used(call))
        except AnswerUnrecorded:
            return Unknown()
        except Refusal as refusal:
            return of_refused(refusal)
        except ProviderError as error:
            return _of_trouble(error)
        except Exception:
            log.exception("A line of a batch could not be sent.")
            return Again(Failed(500, "internal_error", "Something broke on our side.", "api_error"), _PAUSE)


async def refuse(identify: Identify, ask: Ask, refusal: Refusal) -> Outcome:
    """Put on record that a line is no call any more: the rules have changed since its file was read."""
    return of_refused(await pipeline.refuse(identify, ask, refusal))


def of_refused(refusal: Refusal) -> Outcome:
    """Say what a refusal means: a rate limit passes, a spent budget does not, a revoked key ends the batch.

    A line that is larger than all of a limit would hold up the batch forever; it fails with what the limit says. What
    one end user has used up holds up that one's lines and nobody else's, until the limit begins again.
    """
    failure = of_refusal(refusal)
    if isinstance(refusal, KeyRefused):
        why = f"The key this batch was made with is refused: {refusal.reason}."
        return Stopped(Failed(refusal.status, "key_refused", why, refusal.type))
    if isinstance(refusal, PersonRefused | ScopeMissing):
        return Stopped(failure)
    passes = refusal.status == 503 or (isinstance(refusal, QuotaExceeded) and refusal.will_pass)
    if passes and refusal.param == OF_END_USER:
        return Again(failure, refusal.retry_after or _PAUSE, counts=False)
    if passes:
        return Again(failure, min(refusal.retry_after or _PAUSE, _LONGEST_WAIT), holds=True, counts=False)
    return failure


def _of_trouble(error: ProviderError) -> Outcome:
    failure = of_provider_error(error)
    if error.permanent or error.status < 500:
        return failure
    if error.code in _NOT_THE_LINE:
        return Again(failure, min(error.retry_after or _PAUSE, _LONGEST_WAIT), holds=True, counts=False)
    return Again(failure, _PAUSE)


def _used(call: Call) -> Used:
    """Return what a line was charged with, whatever its answer calls it."""
    used = call.used
    return Used(
        prompt=used.prompt,
        cached=used.cached,
        completion=used.completion,
        reasoning=used.reasoning,
        cost_micros=call.cost_micros,
    )
