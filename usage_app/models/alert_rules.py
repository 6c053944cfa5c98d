"""Alert rules for the error rate and latency of calls."""

from django.db import models

from console.core.clock import now
from console.core.formatting import duration, plural
from console.core.ids import uuid7
from console.teams.models import Environment, Team


class RuleMetric(models.TextChoices):
    ERRORS = "errors", "Error rate"
    LATENCY = "latency", "Latency (p95)"


class AlertRule(models.Model):
    """A threshold for the calls of a team in one environment, or, without a team, for those of all teams together.

    With an `alias`, only its calls count. `threshold` is in percent of the calls for errors, and in milliseconds for
    latency. While the rule alerts, `alerting_since` says since when; `told_at` is when that was last told.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules")
    metric = models.CharField(max_length=8, choices=RuleMetric.choices)
    environment = models.CharField(
        max_length=10,
        choices=Environment.choices,
        default=Environment.PRODUCTION,
        db_default=Environment.PRODUCTION.value,
    )
    alias = models.CharField(max_length=100, blank=True, default="", db_default="", help_text="Empty: every call.")
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
                fields=["team", "metric", "environment", "alias", "minutes"],
                nulls_distinct=False,
                name="one_alert_rule_of_a_kind",
            )
        ]

    def __str__(self) -> str:
        of = f" of {self.alias}" if self.alias else ""
        of += "" if self.environment == Environment.PRODUCTION else f" in {self.environment}"
        return f"{self.get_metric_display()}{of} {self.above}"

    @property
    def above(self) -> str:
        """Say when it alerts: above 5 % for 10 minutes."""
        return f"above {self.shown(self.threshold)} for {plural(self.minutes, 'minute')}"

    def shown(self, value: float) -> str:
        """Write a value of the rule's metric: 5 %, 2.50 s."""
        return duration(value * 1000) if self.metric == RuleMetric.LATENCY else f"{value:.4g} %"
