"""The names callers use."""

from django.db import models

from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import Team


class Alias(models.Model):
    """The name callers use. Without teams it is for everybody."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    teams: "models.ManyToManyField[Team, models.Model]" = models.ManyToManyField(
        Team, blank=True, related_name="aliases"
    )
    needs_second_person = models.BooleanField(
        default=False, help_text="Changes of its production pin wait until somebody else agrees."
    )
    needs_tests = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Its production pin moves to another version when the tests that are scheduled on it hold there.",
    )
    revision = models.PositiveIntegerField(default=1, help_text="Grows with every change.")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "aliases"

    def __str__(self) -> str:
        return self.name
