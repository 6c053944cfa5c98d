"""How far the log has been exported. Nothing is stored twice."""

import uuid

from django.db import models

from console.core.clock import now


class TraceExport(models.Model):
    """Up to which line the log was exported as traces, and how that goes. One row.

    Lines are exported in the order (tx, id); everything up to `after_id` in transaction `next_tx` has been taken in by
    the collector. `fence` grows with every claim, and whoever holds an older number cannot write.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next_tx = models.BigIntegerField(default=0)
    after_id = models.UUIDField(default=uuid.UUID(int=0))
    fence = models.IntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    looked_at = models.DateTimeField(default=now, help_text="When somebody last tried.")
    exported_at = models.DateTimeField(null=True, blank=True)
    exported = models.BigIntegerField(default=0)
    dropped = models.BigIntegerField(default=0, help_text="What the collector refused for good.")
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    not_before = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    problem_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.problem or f"exported {self.exported}"
