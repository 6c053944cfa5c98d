"""Usage of prompts and their versions, computed from the log."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from console.core.clock import now
from prompts_app.models.prompts import Prompt


class PromptUse(models.Model):
    """How often a prompt was called on one day from one surface; rolled up from the log."""

    id = models.BigAutoField(primary_key=True)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="uses")
    day = models.DateField()
    surface = models.CharField(max_length=20)
    number = models.PositiveIntegerField(help_text="Of the version.")
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "day", "surface", "number"], name="one_use_row_per_day_and_cut")
        ]

    def __str__(self) -> str:
        return f"{self.prompt_id} on {self.day}"


class PromptKeyUse(models.Model):
    """Which key called a prompt on one day; rolled up from the log, with the names things had then."""

    id = models.BigAutoField(primary_key=True)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="key_uses")
    day = models.DateField()
    key_id = models.UUIDField()
    key = models.CharField(max_length=100)
    team_id = models.UUIDField(null=True)
    team = models.CharField(max_length=200)
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prompt", "day", "key_id"], name="one_key_use_row_per_day_and_key")
        ]

    def __str__(self) -> str:
        return f"{self.prompt_id} by {self.key} on {self.day}"


class OfVersion(models.Model):
    """What one team's calls of one version in one environment tell of it, on one day of the calls, UTC.

    Of calls somebody waited for: none of the playground's and tests', none that was refused, no copy to a shadow.
    """

    id = models.BigAutoField(primary_key=True)
    number = models.PositiveIntegerField(help_text="Of the version.")
    day = models.DateField()
    team_id = models.UUIDField(help_text="The team that called, which need not be the prompt's.")
    environment = models.CharField(max_length=10)

    class Meta:
        abstract = True


class VersionDay(OfVersion):
    """The calls themselves; rolled up from the log."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="version_days", db_index=False)
    calls = models.IntegerField(default=0)
    errors = models.IntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    # How long the calls took, as counts per bucket of console.core.histogram.
    latency = ArrayField(models.IntegerField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "environment", "day", "number", "team_id"], name="one_row_per_version_and_day"
            )
        ]
        indexes = [models.Index(fields=["day"], name="version_days_by_age")]

    def __str__(self) -> str:
        return f"v{self.number} on {self.day}: {self.calls}"


class VersionRating(OfVersion):
    """What was said of their answers; changed with each rating. Apart, so that a rating waits for no roll-up."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="version_ratings", db_index=False)
    good = models.IntegerField(default=0)
    bad = models.IntegerField(default=0)
    scored = models.IntegerField(default=0, help_text="How many came with a score.")
    score = models.DecimalField(max_digits=12, decimal_places=3, default=0, help_text="The sum of those.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "environment", "day", "number", "team_id"], name="one_row_of_ratings_a_day"
            )
        ]
        indexes = [models.Index(fields=["day"], name="version_ratings_by_age")]

    def __str__(self) -> str:
        return f"v{self.number} on {self.day}: {self.good} good, {self.bad} bad"


class PromptUseState(models.Model):
    """How far the uses have been read from the log (its `tx` column). One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next_tx = models.BigIntegerField(default=0)
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"read to {self.next_tx}"
