"""What is written to the log, and what keeps it whole."""

from console.audit.services.floods import count_flood
from console.audit.services.lines import ActorLike, changes, record

__all__ = ["ActorLike", "changes", "count_flood", "record"]
