"""Triggers of runs: a schedule, a signed webhook, or messages of a queue."""

from django.db import models
from django.db.models import Q

from agents_app.models.agents import Agent
from agents_app.models.runs import Run
from console.core.clock import now
from console.core.fields import EncryptedField
from console.core.ids import uuid7
from console.teams.keys import HOOK_PREFIX
from console.teams.models import User


class Trigger(models.Model):
    """One way an agent is started without anybody asking. Its runs act for `owner`, with the rights of that moment.

    `config` by kind. schedule: `cron`, `time_zone`, `catch_up` (skip, once). webhook: `source` (plain, alertmanager,
    grafana), `auth` (token; without it deliveries are signed). queue: `queue`, a built-in one's slug; or `broker`, the
    slug of a broker outside, with its `queue`, and if wanted `result_queue`, `parking_queue`, `dedupe`, `at_once`,
    `attempts`. All kinds: `input`, values every run gets.
    """

    class Kind(models.TextChoices):
        SCHEDULE = "schedule"
        WEBHOOK = "webhook"
        QUEUE = "queue"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="triggers")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=80)
    config = models.JSONField(default=dict)
    secret = EncryptedField(blank=True, help_text="Encrypted: what a webhook is signed with.")
    environment = models.CharField(max_length=10, default="production")
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    owner_name = models.CharField(max_length=200)
    set_up_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who last said what it starts and how, or answers for the key that did.",
    )
    is_enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True)
    last_at = models.DateTimeField(null=True, blank=True)
    trouble = models.CharField(max_length=500, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["next_at"], name="triggers_due")]

    def __str__(self) -> str:
        return self.name


class TriggerToken(models.Model):
    """A bearer token that webhooks of a service which cannot sign are delivered with. Shown once; this is what is kept.

    While one is replaced there are two. `minute_at` and `minute_count` are its deliveries in the newest minute.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="tokens")
    digest = models.BinaryField(max_length=32, unique=True)
    last4 = models.CharField(max_length=4)
    made_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    minute_at = models.DateTimeField(null=True, blank=True)
    minute_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.shown

    @property
    def shown(self) -> str:
        """The token as people see it after the first time: `fk_hook_…7f2c`."""
        return f"{HOOK_PREFIX}…{self.last4}"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now())


class Firing(models.Model):
    """One tick, delivery or message of a trigger. The unique `key` is why each of them starts at most one run."""

    class State(models.TextChoices):
        TRYING = "trying"
        STARTED = "started"
        SKIPPED = "skipped"
        REFUSED = "refused"
        PARKED = "parked"
        DROPPED = "dropped"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="firings")
    key = models.CharField(max_length=200)
    state = models.CharField(max_length=7, choices=State.choices, default=State.STARTED)
    trouble = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=1)
    body = models.JSONField(null=True, blank=True, help_text="Kept of a parked message.")
    correlation_id = models.CharField(max_length=255, blank=True, db_default="")
    is_plain = models.BooleanField(
        default=False, db_default=False, help_text="On Redis: it came as JSON itself, without an envelope."
    )
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["trigger", "key"], name="one_firing_per_key")]
        indexes = [models.Index(fields=["trigger", "at"], condition=Q(state="parked"), name="firings_parked")]

    def __str__(self) -> str:
        return self.key
