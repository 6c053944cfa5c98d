"""Requests of runs to people: approval of one exact call, a question, or the outcome of a call that is unknown."""

from django.db import models
from django.db.models import Q

from agents_app.models.runs import Run, Step
from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Team, User


class Approval(models.Model):
    """A person's decision on one exact call. `sha256` binds it to the canonical arguments and the version.

    It is decided once: whoever changes `state` from `waiting` first decides, everybody else is told who did.
    """

    class Kind(models.TextChoices):
        CALL = "call", "May the agent do this?"
        QUESTION = "question", "The agent asks"
        OUTCOME = "outcome", "What happened?"
        STEP = "step", "Continue a try-out"

    class State(models.TextChoices):
        WAITING = "waiting"
        APPROVED = "approved"
        REJECTED = "rejected"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The agent's: its approvers are asked.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="approvals")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="approvals")
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="approvals")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.CALL)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    tool_name = models.CharField(max_length=200, blank=True)
    arguments = models.JSONField(default=dict, help_text="All of them; what is approved is exactly this.")
    sha256 = models.CharField(max_length=64)
    editable = models.JSONField(default=list, blank=True, help_text="Names of arguments the person may change.")
    is_for_others = models.BooleanField(default=False, help_text="Whoever started the run may not decide.")
    rule = models.CharField(max_length=120, blank=True)
    reason = models.TextField(blank=True, help_text="What the agent said it wants this for.")
    # Of a question: a JSON schema of one flat object.
    form = models.JSONField(null=True, blank=True)
    answer = models.JSONField(null=True, blank=True)
    cost_micros = models.BigIntegerField(default=0, help_text="Of the run so far.")
    expires_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True, help_text="When people were last told by mail.")
    escalate_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    message = models.CharField(max_length=1000, blank=True, help_text="To the agent.")
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    decided_by_name = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["expires_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["step"], condition=Q(state="waiting"), name="one_open_approval_per_step")
        ]
        indexes = [
            models.Index(fields=["team", "expires_at"], condition=Q(state="waiting"), name="approvals_waiting"),
            models.Index(fields=["team", "-decided_at"], name="approvals_decided"),
        ]

    def __str__(self) -> str:
        return f"{self.tool_name or self.get_kind_display()}"
