"""One request: open, relay, close. Every face of the console ends up here.

open    plan from the snapshot, then one batched statement: epoch, quotas, start record. Refusals are raised here.
relay   call the provider; its bytes pass through, no database connection is held
close   settle and write the end record, exactly once, however the call ended

After trouble before the first byte a call may be opened again for the next version of its pin's fallback chain.
"""

from console.gateway.admitting import open_call
from console.gateway.refusing import Identify, look_up, refuse
from console.gateway.relay import Frames, answer, stream
from console.gateway.running import gateway, stop

__all__ = ["Frames", "Identify", "answer", "gateway", "look_up", "open_call", "refuse", "stop", "stream"]
