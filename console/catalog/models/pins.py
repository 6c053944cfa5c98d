"""Which version an alias means in an environment, and the history of that."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from console.catalog.models.aliases import Alias
from console.catalog.models.versions import ModelVersion
from console.catalog.words import describe
from console.core.clock import now
from console.core.ids import uuid7
from console.core.lanes import Lane
from console.teams.models import Environment, User


class Trouble(models.TextChoices):
    """What makes a call continue to the next version of a pin's fallback chain."""

    ERROR = "error"
    TIMEOUT = "timeout"
    BUSY = "busy"
    UNREACHABLE = "unreachable"


class Pin(models.Model):
    """What an alias means in one environment today.

    A share of the callers may get the canary's version instead; a share of the calls is copied to the shadow's version,
    whose answers are kept for comparison and returned to nobody.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alias = models.ForeignKey(Alias, on_delete=models.CASCADE, related_name="pins")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="pins")
    default_parameters = models.JSONField(default=dict, blank=True)
    max_parameters = models.JSONField(default=dict, blank=True, help_text="The most a call may ask for, by name.")
    canary_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="canary_pins"
    )
    canary_percent = models.PositiveSmallIntegerField(default=0)
    canary_since = models.DateTimeField(null=True, blank=True)
    shadow_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="shadow_pins"
    )
    shadow_percent = models.PositiveSmallIntegerField(default=0)
    lane = models.CharField(
        max_length=12,
        choices=Lane.choices,
        blank=True,
        help_text="The fastest lane it gives; empty: as the caller may.",
    )
    revision = models.PositiveIntegerField(
        default=1, help_text="Grows with every move; a form that saw an older one is stale."
    )
    moved_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["alias", "environment"], name="one_pin_per_environment"),
            models.CheckConstraint(
                condition=models.Q(canary_percent__lte=100)
                & (models.Q(canary_version__isnull=False) | models.Q(canary_percent=0)),
                name="canary_is_a_share_of_a_version",
            ),
            models.CheckConstraint(
                condition=models.Q(shadow_percent__lte=100)
                & (models.Q(shadow_version__isnull=False) | models.Q(shadow_percent=0)),
                name="shadow_is_a_share_of_a_version",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alias.name}@{self.environment}"


class PinFallback(models.Model):
    """The next version to try, and after what; position 1 is tried first."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pin = models.ForeignKey(Pin, on_delete=models.CASCADE, related_name="fallbacks")
    position = models.PositiveSmallIntegerField()
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="fallback_pins")
    on = ArrayField(models.CharField(max_length=12, choices=Trouble.choices), default=list)
    tries = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["pin", "position"], name="one_fallback_per_position"),
            models.UniqueConstraint(fields=["pin", "model_version"], name="one_fallback_per_version"),
            models.CheckConstraint(condition=models.Q(tries__gte=1), name="fallback_is_tried"),
        ]

    def __str__(self) -> str:
        return f"{self.pin}: {self.model_version}"


class Change(models.TextChoices):
    """What a line of a pin's history is about."""

    MOVED = "moved"
    ROLLED_BACK = "rolled_back"
    CANARY = "canary"
    PROMOTED = "promoted"
    CANARY_ENDED = "canary_ended"
    SHADOW = "shadow"
    FALLBACKS = "fallbacks"
    PARAMETERS = "parameters"
    LANE = "lane"


class PinMove(models.Model):
    """One change of a pin: who, when, why, and how it was before and after. Written once.

    Where only the surroundings changed (canary, fallbacks, parameters), both versions are the one it meant all along.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pin = models.ForeignKey(Pin, on_delete=models.CASCADE, related_name="moves")
    change = models.CharField(max_length=12, choices=Change.choices, default=Change.MOVED)
    from_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="+")
    to_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    before = models.JSONField(default=dict, help_text="What changed, as it was.")
    after = models.JSONField(default=dict, help_text="What changed, as it is now.")
    reason = models.CharField(max_length=500)
    moved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    moved_by_name = models.CharField(max_length=200)
    agreed_by_name = models.CharField(max_length=200, blank=True, help_text="Who agreed, where two have to.")
    moved_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-moved_at", "-id"]

    def __str__(self) -> str:
        return f"{self.pin} to {self.to_version}"

    @property
    def is_move(self) -> bool:
        """Return whether the alias meant another version afterwards."""
        return self.from_version_id != self.to_version_id

    @property
    def said(self) -> str:
        """What changed, in words; empty for moves of older installations, which kept no more than the versions."""
        return describe(self.before, self.after)


class Decision(models.TextChoices):
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class PinProposal(models.Model):
    """A change that waits for a second person. `arguments` are those of the service `verb` names."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alias = models.ForeignKey(Alias, on_delete=models.CASCADE, related_name="proposals")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    verb = models.CharField(max_length=20)
    arguments = models.JSONField(default=dict)
    sentence = models.CharField(max_length=500, help_text="What would change, for people.")
    reason = models.CharField(max_length=500)
    seen_revision = models.PositiveIntegerField()
    proposed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    proposed_by_name = models.CharField(max_length=200)
    proposed_at = models.DateTimeField(default=now)
    decision = models.CharField(max_length=10, choices=Decision.choices, blank=True)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    decided_by_name = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-proposed_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["alias", "environment"], condition=models.Q(decision=""), name="one_open_proposal_per_pin"
            ),
            models.CheckConstraint(
                condition=models.Q(proposed_by__isnull=True)
                | models.Q(decided_by__isnull=True)
                | ~models.Q(decided_by=models.F("proposed_by"))
                | ~models.Q(decision="approved"),
                name="nobody_approves_their_own",
            ),
        ]

    def __str__(self) -> str:
        return self.sentence
