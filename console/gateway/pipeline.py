"""One request: open, relay, close. Every face of the console ends up here.

open    plan from the snapshot, then one batched statement: epoch, quotas, start record. Refusals are raised here.
relay   call the provider; its bytes pass through, no database connection is held
close   settle and write the end record, exactly once, however the call ended

After an error before the first byte, a call may be opened again for the next version of its pin's fallback chain.
"""

import time

from console.gateway.admission import open_call
from console.gateway.errors import TOO_LATE
from console.gateway.refusals import Identify, look_up, refuse
from console.gateway.relay import Frames, answer, give_up, stream
from console.gateway.runtime import current_gateway, stop
from console.gateway.types import Ask, Call

__all__ = [
    "Frames", "Identify", "answer", "current_gateway", "look_up", "open_by", "open_call", "refuse", "stop", "stream",
]  # fmt: skip


async def open_by(identify: Identify, ask: Ask, latest: float) -> Call | None:
    """Open a call that must be recorded by `latest` (monotonic): after that, others assume that it was not made.

    Return None if it came too late; nothing was sent then, and the log says so.
    """
    if time.monotonic() > latest:
        return None
    call = await open_call(identify, ask)
    if time.monotonic() <= latest:
        return call
    await give_up(call, TOO_LATE)
    return None
