"""Labels, their history, and the rules for moving them."""

from django.db import models
from django.db.models import Q

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Team, User
from prompts_app.models.prompts import Prompt, PromptVersion

# The labels everybody has. Lists offer them before anything carries them.
USUAL_LABELS = ("production", "staging", "canary")


class Label(models.Model):
    """A name that points at a version: `production`, `staging`, `canary`, or one's own. Moving it publishes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=40)
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="labels")
    revision = models.PositiveIntegerField(default=1, help_text="Grows with every move; an older form is stale.")
    moved_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="one_label_per_name")]
        # Nearly all labels are the usual ones; the list of prompts asks which others there are.
        indexes = [
            models.Index(fields=["name", "prompt"], name="labels_of_ones_own", condition=~Q(name__in=USUAL_LABELS))
        ]

    def __str__(self) -> str:
        return f"{self.prompt.slug}:{self.name}"


class LabelMove(models.Model):
    """One move of a label: who, when, why, from, to. Written once; `to_version` is empty when it was taken off."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="label_moves")
    label = models.CharField(max_length=40)
    from_version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, null=True, related_name="+")
    to_version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    moved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    moved_by_name = models.CharField(max_length=200)
    moved_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-moved_at", "-id"]
        indexes = [models.Index(fields=["prompt", "-moved_at"], name="label_moves_of_a_prompt")]

    def __str__(self) -> str:
        return f"{self.prompt.slug}:{self.label} to {self.to_version_id}"


class LabelRule(models.Model):
    """What a team asks before a label of its prompts moves: a review by somebody else, green tests, or both."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="label_rules")
    label = models.CharField(max_length=40)
    needs_review = models.BooleanField(default=True)
    needs_green_tests = models.BooleanField(default=False)

    class Meta:
        ordering = ["label"]
        constraints = [models.UniqueConstraint(fields=["team", "label"], name="one_rule_per_label")]

    def __str__(self) -> str:
        return f"{self.team}:{self.label}"
