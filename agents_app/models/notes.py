"""Notes a run wrote for itself."""

from django.db import models

from agents_app.models.runs import Run
from console.core.clock import now
from console.core.ids import uuid7


class RunNote(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="notes")
    name = models.CharField(max_length=100)
    text = models.TextField()
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="one_note_per_name")]

    def __str__(self) -> str:
        return self.name
