"""The inventory's own tables: expectations of places on Facet, and places that are not on it yet."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Team


class Kind(models.TextChoices):
    """The ways AI is consumed; a schedule is an agent nobody starts."""

    CHAT = "chat"
    API = "api", "API"
    AGENT = "agent"
    SCHEDULED = "scheduled"


class Expected(models.TextChoices):
    """How long whoever asks is ready to wait. What each means in seconds is in latency.py."""

    REAL_TIME = "real_time", "Real time"
    SECONDS = "seconds"
    MINUTES = "minutes"
    OVERNIGHT = "overnight"


class Subject(models.TextChoices):
    """What a place on Facet is. An assistant is an agent without tools."""

    KEY = "key", "API key"
    WIDGET = "widget", "Chat widget"
    AGENT = "agent"


class Status(models.TextChoices):
    PLANNED = "planned"
    MIGRATING = "migrating"
    MIGRATED = "migrated"
    RETIRED = "retired"


TO_MIGRATE = (Status.PLANNED, Status.MIGRATING)


class Expectation(models.Model):
    """What people say of a key, a widget or an agent. Its rooms are above or beside: it is named by kind and id."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="expectations")
    kind = models.CharField(max_length=6, choices=Subject.choices)
    subject_id = models.UUIDField()
    owner = models.CharField(max_length=120, blank=True, help_text="Who answers for it, in words.")
    expected = models.CharField(max_length=9, choices=Expected.choices, blank=True)
    purpose = models.CharField(max_length=300, blank=True)
    changed_by_name = models.CharField(max_length=200)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject_id"], name="one_expectation_each")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class LegacyTouchpoint(models.Model):
    """A place where AI is used that is not on Facet: what a team has still to bring over, or has brought."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="legacy_touchpoints")
    name = models.CharField(max_length=120)
    place = models.CharField(max_length=300, blank=True, help_text="Where it lives: a site, a repository, a tool.")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    model = models.CharField(max_length=200, blank=True, help_text="Vendor and model, in words.")
    owner = models.CharField(max_length=120, blank=True)
    expected = models.CharField(max_length=9, choices=Expected.choices, blank=True)
    # An estimate a month, in micro-units of the installation's currency.
    spend_micros = models.BigIntegerField(null=True, blank=True)
    notes = models.TextField(max_length=2000, blank=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PLANNED)
    over_at = models.DateTimeField(null=True, blank=True, help_text="Since when it is migrated or retired.")
    # What does its work on Facet now. The name outlives what it names.
    replaced_by_kind = models.CharField(max_length=6, choices=Subject.choices, blank=True)
    replaced_by_id = models.UUIDField(null=True, blank=True)
    replaced_by_name = models.CharField(max_length=200, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint("team", Lower("name"), name="one_legacy_touchpoint_per_name"),
            models.CheckConstraint(
                condition=Q(replaced_by_kind="", replaced_by_id=None)
                | (~Q(replaced_by_kind="") & Q(replaced_by_id__isnull=False)),
                name="replaced_by_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(status__in=TO_MIGRATE, over_at=None)
                | (~Q(status__in=TO_MIGRATE) & Q(over_at__isnull=False)),
                name="over_since_it_is_over",
            ),
            models.CheckConstraint(
                condition=Q(spend_micros=None) | Q(spend_micros__gte=0), name="legacy_spend_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_left(self) -> bool:
        """Return whether it is still to be brought over."""
        return self.status in TO_MIGRATE
