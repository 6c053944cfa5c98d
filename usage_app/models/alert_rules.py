"""When somebody is told how calls go: of the errors their callers met, and of how long they took."""

from django.db import models

from console.core.clock import now
from console.core.ids import uuid7
from console.core.words import counted, duration
from console.teams.models import Team


class RuleMetric(models.TextChoices):
    ERRORS = "errors", "Error rate"
    LATENCY = "latency", "Latency (p95)"


class AlertRule(models.Model):
    """A threshold for the calls of a team in production, or, without a team, for those of all teams together.

    `threshold` is in percent of the calls for errors, and in milliseconds for latency. While the rule alerts,
    `alerting_since` says since when; `told_at` is when that was last told.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules")
    metric = models.CharField(max_length=8, choices=RuleMetric.choices)
    threshold = models.PositiveIntegerField()
    minutes = models.PositiveSmallIntegerField()
    least_calls = models.PositiveIntegerField(help_text="With fewer calls in that time, nothing is said.")
    alerting_since = models.DateTimeField(null=True, editable=False)
    told_at = models.DateTimeField(null=True, editable=False)
    revision = models.PositiveIntegerField(default=1, db_default=1, help_text="Grows with every change.")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "metric", "threshold", "minutes"], nulls_distinct=False, name="one_alert_rule_of_a_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_metric_display()} above {self.shown(self.threshold)} for {counted(self.minutes, 'minute')}"

    def shown(self, value: float) -> str:
        """Write a value of the rule's metric: 5 %, 2.50 s."""
        return duration(value * 1000) if self.metric == RuleMetric.LATENCY else f"{value:.4g} %"
