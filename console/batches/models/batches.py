"""A batch: a file of calls, and its progress."""

import datetime as dt

from django.db import models
from django.db.models import Q

from console.batches.models.files import File
from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import ApiKey, Environment, Team, User


class State(models.TextChoices):
    """OpenAI's states. A batch that ends early is `cancelling` or `finalizing` until its last calls are back."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress", "In progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


TERMINAL = (State.FAILED, State.COMPLETED, State.EXPIRED, State.CANCELLED)
ACTIVE = (State.VALIDATING, State.IN_PROGRESS, State.FINALIZING, State.CANCELLING)


class Batch(models.Model):
    """A lot of calls of one kind, made in the batch lane for whoever created it.

    `lease_until` and `fence` say which worker advances it: a worker that lost its lease finds another fence and writes
    nothing more. `ends_as` is set as soon as it is known how the batch will end; no line starts after that.
    The files are named without a constraint: a batch may outlive them.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="batches")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="batches")
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="batches")
    creator = models.CharField(max_length=200, help_text="Who made it, by the name they had.")
    client_address = models.CharField(max_length=45, blank=True, help_text="Where from; a key's networks are asked.")
    name = models.CharField(max_length=255, help_text="For people: the input file's name.")
    endpoint = models.CharField(max_length=40)
    completion_window = models.CharField(max_length=8, default="24h")
    metadata = models.JSONField(default=dict)
    rerun_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="reruns")

    input_file = models.ForeignKey(File, models.DO_NOTHING, db_constraint=False, related_name="+")
    output_file = models.ForeignKey(File, models.DO_NOTHING, db_constraint=False, null=True, related_name="+")
    error_file = models.ForeignKey(File, models.DO_NOTHING, db_constraint=False, null=True, related_name="+")

    state = models.CharField(max_length=12, choices=State.choices, default=State.VALIDATING)
    ends_as = models.CharField(max_length=12, choices=State.choices, blank=True)
    errors = models.JSONField(default=list, help_text="What is wrong with it, in OpenAI's words.")
    created_at = models.DateTimeField(default=now, editable=False)
    in_progress_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, help_text="When the last of its results was removed.")
    finalizing_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    expired_at = models.DateTimeField(null=True)
    cancelling_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    total = models.IntegerField(default=0)
    completed = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)

    lease_until = models.DateTimeField(null=True)
    fence = models.IntegerField(default=0)
    not_before = models.DateTimeField(null=True, help_text="Nothing is sent before: a limit or a provider asked so.")
    waits_for = models.CharField(max_length=500, blank=True, help_text="Why nothing is sent before.")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team", "-id"], name="batches_of_a_team"),
            models.Index(fields=["state"], name="batches_under_way", condition=~Q(state__in=TERMINAL)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return f"batch_{self.pk.hex}"

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL

    @property
    def ended_at(self) -> dt.datetime | None:
        return self.completed_at or self.failed_at or self.expired_at or self.cancelled_at
