"""Schedules of tests: when they run, their baselines, and the results."""

from django.db import models
from django.db.models import Q

from console.core.clock import now
from console.core.ids import uuid7
from console.core.schedules import LONGEST_CRON, in_words
from console.evals.models.tests import TestRun
from console.teams.models import Environment
from prompts_app.models import Prompt, PromptVersion


class Schedule(models.Model):
    """A prompt's tests, on what a label means and what an alias is pinned to, at every tick of a cron expression.

    Its runs are those of whoever set it up last (`acts_as_…`), with their rights of that moment. `version` and `pinned`
    are what the label and the alias meant at the last look: when that changes, something was promoted.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="test_schedules")
    label = models.CharField(max_length=60)
    model = models.CharField(max_length=200, help_text="The alias or exact version that answers.")
    environment = models.CharField(max_length=10, choices=Environment.choices)
    cron = models.CharField(max_length=LONGEST_CRON)
    time_zone = models.CharField(max_length=60, default="UTC")
    tolerance = models.PositiveSmallIntegerField(default=5, help_text="Points of 100 the score may fall.")
    revision = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Grows with every change of what is tested, when and how strictly."
    )
    is_paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=500, blank=True)
    is_left = models.BooleanField(default=False, help_text="It paused itself: nobody answers for it any more.")
    trouble = models.CharField(max_length=500, blank=True, help_text="Why the last round could not be judged whole.")
    acts_as_kind = models.CharField(max_length=10)
    acts_as_id = models.UUIDField()
    acts_as_name = models.CharField(max_length=200)
    client_address = models.CharField(max_length=60, blank=True)
    version = models.ForeignKey(PromptVersion, on_delete=models.SET_NULL, null=True, related_name="+")
    pinned = models.CharField(max_length=261, blank=True)
    baseline = models.ForeignKey("Baseline", on_delete=models.SET_NULL, null=True, related_name="+")
    next_at = models.DateTimeField()
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "label", "model", "environment"], name="one_schedule_per_label_and_model"
            ),
            models.CheckConstraint(condition=Q(tolerance__lte=100), name="tolerance_is_of_100_points"),
        ]
        indexes = [models.Index(fields=["next_at"], name="schedules_due", condition=Q(is_paused=False))]

    def __str__(self) -> str:
        return f"{self.label} on {self.target}"

    @property
    def target(self) -> str:
        """What answers, as a run names it: support-chat@sandbox."""
        return f"{self.model}@{self.environment}"

    @property
    def when_words(self) -> str:
        return in_words(self.cron, self.time_zone)


class Round(models.Model):
    """One time a schedule's tests were run, or should have been. The unique `key` is why a tick runs them once.

    `score` is of all cases that were answered. `lost` has the names of cases that passed in the baseline, not here.
    """

    class Cause(models.TextChoices):
        DUE = "due", "Scheduled"
        PROMOTION = "promotion", "After a promotion"
        AGAIN = "again", "Repeated after a suspicious run"
        BY_HAND = "by_hand", "Started by hand"

    class Outcome(models.TextChoices):
        OPEN = "open"
        FINE = "fine"
        SUSPICIOUS = "suspicious"
        DRIFTED = "drifted"
        INCOMPLETE = "incomplete"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="rounds")
    key = models.CharField(max_length=200)
    cause = models.CharField(max_length=9, choices=Cause.choices)
    run = models.ForeignKey(TestRun, on_delete=models.SET_NULL, null=True, related_name="rounds")
    before = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.OPEN)
    score = models.FloatField(null=True)
    lost = models.JSONField(default=list)
    sentence = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["schedule", "key"], name="one_round_per_key")]
        indexes = [
            models.Index(fields=["schedule", "-at"], name="rounds_of_a_schedule"),
            models.Index(fields=["run"], name="rounds_to_judge", condition=Q(outcome="open")),
        ]

    def __str__(self) -> str:
        return f"{self.schedule}, {self.key}"


class Baseline(models.Model):
    """What a schedule's rounds are held against: one finished run, case by case, as it was when it was taken.

    `cases` maps a case's id to {"name", "passed", "spec"}, the last a digest: a case that changed is not compared.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="baselines")
    run = models.ForeignKey(TestRun, on_delete=models.SET_NULL, null=True, related_name="+")
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="+")
    pinned = models.CharField(max_length=261, blank=True)
    score = models.FloatField()
    cases = models.JSONField(default=dict)
    reason = models.CharField(max_length=500)
    taken_by_name = models.CharField(max_length=200)
    taken_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-taken_at", "-id"]

    def __str__(self) -> str:
        return f"{self.score:.1f} on {self.pinned}"


class Incident(models.Model):
    """Drift: a schedule's tests do worse than its baseline, twice in a row. One is open per schedule at most."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="incidents")
    run = models.ForeignKey(TestRun, on_delete=models.SET_NULL, null=True, related_name="+")
    score_before = models.FloatField()
    score_after = models.FloatField()
    lost = models.JSONField(default=list)
    sentence = models.CharField(max_length=500)
    opened_at = models.DateTimeField(default=now)
    closed_at = models.DateTimeField(null=True)
    closed_by_name = models.CharField(max_length=200, blank=True)
    closed_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule"], condition=Q(closed_at=None), name="one_open_incident_per_schedule"
            )
        ]

    def __str__(self) -> str:
        return self.sentence
