"""After trouble before the first byte: the next version of the pin's chain, admitted and priced anew.

1. The attempt that failed is closed: settled at what it cost, with a line of its own in the log that names the request.
2. The call is planned again for the next version, under the newest settings, and passes quota admission again.
3. Its reservation, its start record and at last its end record carry the request's id, which the caller knows.
"""

import time
from typing import TYPE_CHECKING

from django.conf import settings

from console.core.errors import ProviderError
from console.gateway.admitting import admit
from console.gateway.targets import next_step

if TYPE_CHECKING:
    from console.gateway.types import Call


def following(call: "Call", error: ProviderError) -> int | None:
    """Return the step a call goes on with after this error; None when the error is the caller's to hear.

    However long the chain, nobody waits for it longer than for one whole call.
    """
    if call.cut_off or call.has_client_left or seconds_left(call) <= 0:
        return None
    return next_step(call.plan.step, call.plan.pin, error, call.plan.ask)


def seconds_left(call: "Call") -> float:
    """Return how long a call and all its attempts may still take."""
    return settings.GATEWAY_TOTAL_SECONDS - (time.perf_counter() - call.started)


async def go_on(call: "Call", step: int) -> None:
    """Turn a call whose attempt failed into one that is open again, for another version; raise Refusal otherwise."""
    call.fell_back_from = call.fell_back_from or call.plan.version.label
    call.attempts_before += call.attempts
    plan, remaining = await admit(call.here, call.identify, call.plan.ask, call.started, step=step)
    call.plan, call.remaining, call.reservation = plan, remaining, None
    call.attempts, call.is_unused, call.is_closed = 0, False, False
