"""What test runs and replays share: work of many calls, with a result for each.

Whoever works holds the lease; when that runs out, anybody may continue where the outcomes stand.
"""

from typing import Any, ClassVar

from django.db import models

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Environment, Team

GOING_ON = ("queued", "running")


def named_model(model: str, environment: str) -> str:
    """Return what answers as calls and people name it: support-chat@sandbox, an exact version (with a /) as it is."""
    return model if "/" in model or not model else f"{model}@{environment}"


class Work(models.Model):
    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        STOPPED = "stopped"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    started_by_kind = models.CharField(max_length=10)
    started_by_id = models.UUIDField()
    started_by_name = models.CharField(max_length=200)
    client_address = models.CharField(max_length=60, blank=True)
    started_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.IntegerField(
        default=0, db_default=0, help_text="Grows with every worker; one before it goes on no more."
    )

    not_before = models.DateTimeField(null=True, help_text="Nothing is asked before: a limit says so.")
    waits_for = models.CharField(max_length=500, blank=True, db_default="", help_text="Why nothing is asked before.")
    held_since = models.DateTimeField(null=True, help_text="When it had to wait for the first time.")

    class Meta:
        abstract = True

    @property
    def is_waiting(self) -> bool:
        """Return whether it was put down until a limit has room again."""
        return bool(self.waits_for) and not self.is_over

    @property
    def is_over(self) -> bool:
        return self.status not in GOING_ON

    @property
    def how_far(self) -> str:
        """Say in a word how far it is while it continues: it may wait for a limit, or for its first turn."""
        if self.is_waiting:
            return "Waits"
        return "Queued" if self.status == self.Status.QUEUED else "Running"


class Outcome(models.Model):
    """`calls` holds the request id of every call before it is made, so that none is made (and paid) twice.

    `checks` is a list of {"kind", "title", "passed", "reason"}. KEPT are the fields that one try writes.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        PASSED = "passed"
        FAILED = "failed"
        ERROR = "error"

    KEPT: ClassVar[tuple[str, ...]] = (
        *("status", "error", "output", "checks"),
        *("request_id", "tokens", "cost_micros", "latency_us"),
    )

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    calls = models.JSONField(default=dict)
    output = models.TextField(blank=True, help_text="As the log keeps content: without secrets, and only so long.")
    is_forgotten = models.BooleanField(default=False)
    checks = models.JSONField(default=list)
    error = models.TextField(blank=True)
    request_id = models.UUIDField(null=True)
    tokens = models.PositiveIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    latency_us = models.BigIntegerField(null=True)

    class Meta:
        abstract = True

    def all_checks(self) -> list[dict[str, Any]]:
        return self.checks  # type: ignore[no-any-return]
