"""Datasets, and replays of them: a candidate's answers beside the recorded ones."""

from typing import Any, ClassVar

from django.db import models

from console.audit.models import Status as RecordStatus
from console.core.clock import now
from console.core.ids import uuid7
from console.evals.models.work import Outcome, Work, named_model
from console.teams.models import Environment, Team
from prompts_app.models import PromptVersion


class Dataset(models.Model):
    """Inputs to ask again and again: uploaded, or copied from the log. Its items never change."""

    class Source(models.TextChoices):
        UPLOAD = "upload", "Uploaded"
        LOG = "log", "From the log"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    source = models.CharField(max_length=6, choices=Source.choices)
    origin = models.CharField(max_length=500, help_text="The file, or what was looked for in the log, in words.")
    made_by_name = models.CharField(max_length=200)
    made_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="one_dataset_per_name")]

    def __str__(self) -> str:
        return self.name


class DatasetItem(models.Model):
    """One input, and what was answered to it before or is wanted, if anything.

    `body` is a call's body without its model. What came of the recorded call stands in the columns of the log's line;
    `latency_us` is the time at the provider. Of a call by prompt, `prompt` has {"slug", "number", "variables",
    "parameters", "messages"}: the last is how many messages of the body are the prompt's own.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="items")
    place = models.PositiveIntegerField()
    operation = models.CharField(max_length=12, default="chat")
    body = models.JSONField()
    prompt = models.JSONField(default=dict)
    expected = models.TextField(blank=True, help_text="What was answered, or what is wanted; empty for nothing.")
    tool_calls = models.JSONField(default=list, help_text="Of the recorded answer: [name, arguments] each.")
    record_id = models.UUIDField(null=True)
    recorded_at = models.DateTimeField(null=True)
    alias = models.CharField(max_length=200, blank=True)
    environment = models.CharField(max_length=10, choices=Environment.choices, blank=True)
    model = models.CharField(max_length=261, blank=True, help_text="What answered then.")
    status = models.CharField(max_length=20, choices=RecordStatus.choices, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    latency_us = models.BigIntegerField(null=True)
    is_redacted = models.BooleanField(default=False)
    is_forgotten = models.BooleanField(default=False)

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["dataset", "place"], name="one_item_per_place")]
        indexes = [
            models.Index(
                fields=["recorded_at"],
                name="items_to_forget",
                condition=models.Q(is_forgotten=False, recorded_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"#{self.place}"

    @property
    def was_answered(self) -> bool:
        """Return whether the log has a whole answer to this, so that a candidate can be held against it."""
        return self.status == RecordStatus.OK


class Replay(Work):
    """A dataset asked of a candidate: another model, another version of the prompt, or both.

    Without a `model` each item asks the alias it was recorded with. `likeness_by` is the alias whose vectors say how
    near two answers are; empty: it is not measured.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="replays")
    model = models.CharField(max_length=200, blank=True, help_text="The alias or exact version that answers.")
    pinned = models.CharField(max_length=261, blank=True, help_text="The exact version this meant at the start.")
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, null=True, related_name="+")
    checks = models.JSONField(default=list)
    likeness_by = models.CharField(max_length=200, blank=True)
    estimate_micros = models.BigIntegerField(null=True, help_text="What it was said to cost before it began.")

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["team", "-started_at"], name="replays_of_a_team"),
            models.Index(
                fields=["lease_until"], name="replays_going_on", condition=models.Q(status__in=["queued", "running"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} on {self.candidate}"

    @property
    def target(self) -> str:
        """What is asked, as people name it: support-chat@sandbox."""
        return named_model(self.model, self.environment)

    @property
    def candidate(self) -> str:
        return " on ".join(part for part in (str(self.version) if self.version else "", self.target) if part)


class ReplayResult(Outcome):
    """What a candidate answered to one item. `tokens` and `cost_micros` are the answer's; judging is apart.

    `recorded_checks` are the same checks of the answer that was recorded. `trouble` says what could not be measured.
    """

    KEPT: ClassVar[tuple[str, ...]] = (
        *Outcome.KEPT,
        *("model", "tool_calls", "recorded_checks", "is_same", "likeness", "judging_micros", "trouble"),
    )

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="results")
    item = models.ForeignKey(DatasetItem, on_delete=models.CASCADE, related_name="+")
    model = models.CharField(max_length=261, blank=True, help_text="What answered.")
    tool_calls = models.JSONField(default=list)
    recorded_checks = models.JSONField(default=list)
    is_same = models.BooleanField(null=True, help_text="Word for word; null where nothing is expected.")
    likeness = models.FloatField(null=True)
    judging_micros = models.BigIntegerField(default=0)
    trouble = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["item__place"]
        constraints = [models.UniqueConstraint(fields=["replay", "item"], name="one_result_per_item_and_replay")]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.status}"

    @property
    def was_answered(self) -> bool:
        """Return whether the candidate answered, whatever the checks say of that."""
        return self.request_id is not None

    def all_checks(self) -> list[dict[str, Any]]:
        return [*self.checks, *self.recorded_checks]
