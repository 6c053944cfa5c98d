"""Built-in queues: programs and agents add items, agents take them and write results."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agents_app.models.runs import Run
from console.core.clock import now
from console.core.fields import EncryptedField
from console.core.ids import uuid7
from console.teams.models import Team


class Queue(models.Model):
    """A queue of one team. An item that was taken `most_attempts` times without a result is parked."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="queues")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    lease_seconds = models.PositiveIntegerField(default=300, help_text="How long a taken item is nobody else's.")
    most_attempts = models.PositiveSmallIntegerField(default=5)
    keep_days = models.PositiveSmallIntegerField(default=30)
    secret = EncryptedField(
        blank=True, db_default="", help_text="Encrypted: what results are signed with that are sent somewhere."
    )
    callback_addresses = ArrayField(
        models.CharField(max_length=300),
        default=list,
        db_default=[],
        blank=True,
        help_text="Where results may be sent: these addresses, and what is below them. None: nowhere.",
    )
    revision = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField(default=now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["team", "slug"], condition=Q(archived_at=None), name="one_queue_per_slug")
        ]

    def __str__(self) -> str:
        return self.slug


class QueueItem(models.Model):
    """One piece of work. A second item with the `dedupe_id` of an earlier one is that earlier one."""

    class State(models.TextChoices):
        READY = "ready"
        TAKEN = "taken"
        DONE = "done"
        FAILED = "failed"
        PARKED = "parked"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="items")
    state = models.CharField(max_length=6, choices=State.choices, default=State.READY)
    body = models.JSONField()
    dedupe_id = models.CharField(max_length=200, null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    trouble = models.CharField(max_length=500, blank=True)
    callback_url = models.CharField(max_length=500, blank=True)
    called_back_at = models.DateTimeField(null=True, blank=True)
    callbacks = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How often it was tried to call back."
    )
    call_back_at = models.DateTimeField(null=True, blank=True, help_text="When it is tried; never when empty.")
    callback_trouble = models.CharField(max_length=500, blank=True, db_default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    # Of whoever took it last: only they may say how it went, and taking again with the same one gives the same item.
    receipt = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="queue_items")
    put_by_name = models.CharField(max_length=200)
    put_by_id = models.UUIDField(null=True, help_text="The key that did: who answers for it asked for what follows.")
    put_for_id = models.UUIDField(null=True, help_text="Who answered for that key then, whoever it went to later.")
    # The run whose tool put it there: a run it starts counts as called by that one.
    put_by_run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["queue", "dedupe_id"], name="one_item_per_dedupe_id")]
        indexes = [
            models.Index(
                fields=["queue", "created_at"], condition=Q(state__in=["ready", "taken"]), name="items_to_take"
            ),
            models.Index(fields=["call_back_at"], condition=Q(call_back_at__isnull=False), name="items_to_call_back"),
        ]

    def __str__(self) -> str:
        return str(self.id)
