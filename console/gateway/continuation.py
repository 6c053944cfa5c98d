"""Whether a long call may continue: its caller's rights may have changed since it began."""

from console.core.clock import now
from console.core.errors import Refusal
from console.gateway.identity import successor_of
from console.gateway.resolution import resolve
from console.gateway.types import Call


def may_continue(call: Call, *, outlives_request: bool = False) -> bool:
    """Return whether the key that started the call is still good, by this process's newest snapshot.

    A call that outlives its request continues with the key its own was rotated into, as the next call would.
    """
    gateway, asker = call.gateway, call.plan.asker
    gateway.refresh_soon()
    snapshot = gateway.snapshots.current
    if snapshot is None or asker.key is None:
        return True
    moment, keys = now(), snapshot.keys_by_id
    key = successor_of(snapshot, asker.key.id, moment) if outlives_request else keys.get(asker.key.id)
    if key is None or not key.may_go_on(moment, call.plan.ask.client_address):
        return False
    if call.plan.alias == call.plan.version.label and call.plan.alias not in snapshot.aliases:
        return key.may_call_exact
    return not key.aliases or call.plan.alias in key.aliases


def may_person_continue(call: Call) -> bool:
    """Return whether the person who started the call may still make it, by this process's newest snapshot."""
    call.gateway.refresh_soon()
    snapshot = call.gateway.snapshots.current
    if snapshot is None:
        return True
    try:
        resolve(snapshot, call.identify(snapshot), call.plan.ask.model)
    except Refusal:
        return False
    return True
