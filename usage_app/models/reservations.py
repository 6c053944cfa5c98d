"""Reservations: calls that are open."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Reservation(models.Model):
    """An open call: what it may still use, and what the sweeper needs to end it if its process dies.

    Written by the gateway's `begin` and deleted by `close`; whoever deletes it writes the end record.
    The four arrays run in parallel, one place per quota that counts this call. It is also the lease behind
    `concurrency`: it expires.
    """

    id = models.UUIDField(primary_key=True, help_text="The request's id.")
    team_id = models.UUIDField()
    process = models.TextField(help_text="The process that holds the call open.")
    expires_at = models.DateTimeField()
    quota_ids = ArrayField(models.BigIntegerField())
    period_starts = ArrayField(models.DateTimeField())
    metrics = ArrayField(models.TextField())
    amounts = ArrayField(models.BigIntegerField())
    record = models.TextField(help_text="The audit row as far as it is known, as JSON.")

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="reservations_by_expiry")]

    def __str__(self) -> str:
        return str(self.id)
