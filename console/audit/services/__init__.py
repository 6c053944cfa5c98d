"""Write, seal, verify and expire audit records."""

from console.audit.services.calls import record_call
from console.audit.services.records import ActorLike, changes, record, take_turn

__all__ = ["ActorLike", "changes", "record", "record_call", "take_turn"]
