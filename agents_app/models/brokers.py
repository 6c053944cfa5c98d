"""External queues: a team's broker, who reads it now, and unsent results."""

from django.db import models
from django.db.models import Q

from agents_app.models.runs import Run
from agents_app.models.triggers import Firing, Trigger
from console.core.clock import now
from console.core.fields import EncryptedField
from console.core.ids import uuid7
from console.teams.models import Team


class Broker(models.Model):
    """A message broker of one team. `secret` is its whole address; `address` is what people are shown of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="brokers")
    slug = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    address = models.CharField(max_length=500)
    secret = EncryptedField(help_text="Encrypted: the address with its password.")
    checked_at = models.DateTimeField(null=True, blank=True)
    trouble = models.CharField(max_length=500, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "slug"], name="one_broker_per_slug")]

    def __str__(self) -> str:
        return self.name


class Reader(models.Model):
    """Who reads the queue of a trigger now, by a lease, and how it goes. One at a time."""

    class State(models.TextChoices):
        STARTING = "starting"
        READING = "reading"
        WAITING = "waiting"
        TROUBLE = "trouble"

    trigger = models.OneToOneField(Trigger, on_delete=models.CASCADE, primary_key=True, related_name="reader")
    holder = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.STARTING)
    said = models.CharField(max_length=500, blank=True, help_text="Why it waits, or what is wrong.")
    since = models.DateTimeField(default=now)
    last_message_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.trigger_id)

    @property
    def is_alive(self) -> bool:
        return self.lease_until is not None and self.lease_until > now()


class Outgoing(models.Model):
    """A message for a queue outside, sent at least once: the result of a run, or a message that was set aside.

    That of a run is written in the transaction that starts it, and is due when the run is over.
    """

    class Kind(models.TextChoices):
        RESULT = "result"
        PARKED = "parked"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    broker = models.ForeignKey(Broker, on_delete=models.CASCADE, related_name="outgoing")
    firing = models.ForeignKey(Firing, on_delete=models.SET_NULL, null=True, related_name="outgoing")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, null=True, related_name="outgoing")
    queue = models.CharField(max_length=255)
    correlation_id = models.CharField(max_length=255, blank=True)
    body = models.BinaryField(blank=True, help_text="Of a message set aside: as it came.")
    headers = models.JSONField(default=dict)
    is_plain = models.BooleanField(default=False, help_text="On Redis: the JSON itself, without an envelope.")
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(default=now)
    trouble = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["firing", "kind"], name="one_outgoing_per_firing")]
        indexes = [models.Index(fields=["not_before"], condition=Q(sent_at=None), name="outgoing_to_send")]

    def __str__(self) -> str:
        return f"{self.kind} for {self.queue}"
