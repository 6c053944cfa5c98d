"""Whether whoever began a long call may still make it."""

from console.core.clock import now
from console.core.errors import Refusal
from console.gateway.identity import heir_of
from console.gateway.naming import resolve
from console.gateway.types import Call


def may_go_on(call: Call, *, outlives_request: bool = False) -> bool:
    """Say whether the key that started the call is still good, by the newest snapshot this process has.

    A call that outlives its request goes on with the key that follows, as the next one would.
    """
    here, asker = call.here, call.plan.asker
    here.refresh_soon()
    snapshot = here.snapshots.current
    if snapshot is None or asker.key is None:
        return True
    moment, known = now(), snapshot.keys_by_id
    key = heir_of(snapshot, asker.key.id, moment) if outlives_request else known.get(asker.key.id)
    if key is None or not key.may_go_on(moment, call.plan.ask.client_address):
        return False
    if call.plan.alias == call.plan.version.label and call.plan.alias not in snapshot.aliases:
        return key.may_call_exact
    return not key.aliases or call.plan.alias in key.aliases


def may_person_go_on(call: Call) -> bool:
    """Say whether the person a call is for may still make it, by the newest snapshot this process has."""
    call.here.refresh_soon()
    snapshot = call.here.snapshots.current
    if snapshot is None:
        return True
    try:
        resolve(snapshot, call.identify(snapshot), call.plan.ask.model)
    except Refusal:
        return False
    return True
