"""Reviews of label moves, and waivers of required partials."""

from django.db import models
from django.db.models import Q

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import User
from prompts_app.models.prompts import Prompt, PromptVersion


class Review(models.Model):
    """The wish to move a protected label, and what somebody else decided. `from_version` was live when it was asked."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CHANGES = "changes", "Changes requested"
        APPROVED = "approved", "Approved"
        WITHDRAWN = "withdrawn", "Withdrawn"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="reviews")
    label = models.CharField(max_length=40)
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="reviews")
    from_version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, null=True, related_name="+")
    seen_revision = models.PositiveIntegerField(help_text="The label's revision when it was asked; 0 when it was new.")
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    requested_by_name = models.CharField(max_length=200)
    requested_by_key_id = models.UUIDField(null=True, help_text="Of a key's: whoever answers for it by now asked too.")
    requested_at = models.DateTimeField(default=now)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_by_name = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision_note = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["-requested_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "label"], condition=Q(status__in=["open", "changes"]), name="one_live_review_a_label"
            )
        ]

    def __str__(self) -> str:
        return f"review of {self.version} for {self.label}"


class ReviewComment(models.Model):
    """A remark on one line of the version under review, or on the whole when `line` is empty."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="comments")
    message_index = models.PositiveSmallIntegerField(null=True)
    line = models.PositiveIntegerField(null=True)
    text = models.CharField(max_length=2000)
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    author_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.text[:60]


class Waiver(models.Model):
    """Leave for one prompt not to include a required partial, with the reason."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="waivers")
    partial = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=500)
    given_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    given_by_name = models.CharField(max_length=200)
    given_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "partial"], name="one_waiver_per_partial")]

    def __str__(self) -> str:
        return f"{self.prompt} without {self.partial}"
