"""Questions of people about runs, and the answers of the run's own model."""

from django.db import models

from agents_app.models.runs import Run
from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import User


class RunQuestion(models.Model):
    """One question about a run with its answer. `request_id` finds the call in the log."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="questions")
    asked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_by_name = models.CharField(max_length=200)
    question = models.TextField(max_length=4000)
    answer = models.TextField(blank=True)
    model = models.CharField(max_length=270, blank=True)
    request_id = models.UUIDField(null=True)
    cost_micros = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["run", "created_at"], name="questions_about_a_run")]

    def __str__(self) -> str:
        return self.question[:60]
