"""Quotas, their use in each period, and the thresholds that were reported."""

from typing import cast

from django.db import models

from console.core import clock
from console.core.clock import now
from console.core.ids import uuid7
from console.teams.models import ApiKey, Team, User


class Metric(models.TextChoices):
    REQUESTS = "requests"
    TOKENS = "tokens"
    COST = "cost"
    CONCURRENCY = "concurrency"


class Window(models.TextChoices):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Mode(models.TextChoices):
    HARD = "hard"
    SOFT = "soft"


class Purpose(models.TextChoices):
    """Which calls a quota counts: those people make, or the copies that pins send to a shadow."""

    CALLS = "", "Calls"
    SHADOW = "shadow", "Shadow copies"


class Nameless(models.TextChoices):
    """What a limit for each end user does with a call that names none."""

    PASS = "pass", "Let pass, uncounted"
    REFUSE = "refuse", "Refuse"


class Quota(models.Model):
    """One limit of a team, or of one key, alias, agent or widget inside it; or of each end user of one of them.

    `limit` is in the metric's own unit: requests, tokens, micro-units of currency, or calls at once.
    `window` is empty for concurrency only. `since_epoch` is the first epoch whose calls count here;
    `opening_used` is what its first period had already used at that moment. Agents and widgets live in rooms above, so
    they are named as the log names them: an agent by its short name, a widget by its id; see scopes.py.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(unique=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="quotas")
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, null=True, blank=True, related_name="quotas")
    alias = models.CharField(max_length=100, blank=True)
    agent = models.CharField(max_length=60, blank=True, default="", db_default="")
    widget_id = models.UUIDField(null=True, blank=True)
    widget = models.CharField(max_length=80, blank=True, default="", db_default="", help_text="Its name, for people.")
    purpose = models.CharField(max_length=10, choices=Purpose.choices, blank=True, default=Purpose.CALLS)
    metric = models.CharField(max_length=12, choices=Metric.choices)
    window = models.CharField(max_length=6, choices=Window.choices, blank=True)
    each_end_user = models.BooleanField(default=False, db_default=False)
    nameless = models.CharField(
        max_length=6,
        choices=Nameless.choices,
        default=Nameless.PASS,
        db_default=Nameless.PASS,
        help_text="Of calls that name no end user, where each has a limit.",
    )
    limit = models.BigIntegerField()
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.HARD)
    revision = models.PositiveIntegerField(default=1, db_default=1, help_text="Grows with every change.")
    since_epoch = models.BigIntegerField(editable=False)
    opening_used = models.BigIntegerField(default=0, editable=False)
    opening_period = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["team__name", "metric", "window"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "key", "alias", "agent", "widget_id", "purpose", "each_end_user", "metric", "window"],
                name="one_quota_of_a_kind",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=models.Q(limit__gte=0), name="quota_limit_not_negative"),
            models.CheckConstraint(
                condition=(models.Q(metric="concurrency") & models.Q(window=""))
                | (~models.Q(metric="concurrency") & ~models.Q(window="")),
                name="quota_has_a_window_unless_concurrency",
            ),
            models.CheckConstraint(
                condition=models.Q(each_end_user=False) | (~models.Q(metric="concurrency") & models.Q(purpose="")),
                name="quota_for_each_end_user_counts_calls",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team}: {self.title}"

    @property
    def title(self) -> str:
        """What is limited, without how much: "Cost per month of support-chat"."""
        return f"{self.what} of {self.of}" if self.of else self.what

    @property
    def of(self) -> str:
        """What inside the team is limited; empty for all of it."""
        if self.key:
            return f"key {self.key}"
        if self.agent:
            return f"agent {self.agent}"
        return f"widget {self.widget}" if self.widget_id else self.alias

    @property
    def what(self) -> str:
        if self.metric == Metric.CONCURRENCY:
            what = "Concurrent calls"
        else:
            what = f"{Metric(self.metric).label} per {self.window}"
        if self.each_end_user:
            what += " for each end user"
        return f"{what}, shadow copies only" if self.purpose == Purpose.SHADOW else what

    @property
    def is_team_wide(self) -> bool:
        """Return whether it limits all a team does: what is for each end user divides that, whatever else there is."""
        return (
            not self.each_end_user and self.key_id is None and self.widget_id is None and not (self.alias or self.agent)
        )

    @property
    def clock_window(self) -> clock.Window:
        """The window as `console.core.clock` types it; concurrency has none."""
        return cast(clock.Window, self.window)


class QuotaIncrease(models.Model):
    """A temporary addition to a limit, with an end."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="increases")
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    starts_at = models.DateTimeField(default=now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by_name = models.CharField(max_length=200)

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [models.CheckConstraint(condition=models.Q(amount__gt=0), name="increase_is_positive")]

    def __str__(self) -> str:
        return f"+{self.amount} until {self.ends_at:%Y-%m-%d %H:%M}"


class QuotaCounter(models.Model):
    """What one quota has used and promised in one period. Only the gateway's statements write here."""

    pk = models.CompositePrimaryKey("quota_id", "period_start")
    # The key begins with it, so no index of its own: that would find all periods of a quota where one is meant.
    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="counters", db_index=False)
    period_start = models.DateTimeField()
    used = models.BigIntegerField(default=0, db_default=0)
    reserved = models.BigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"{self.quota_id} {self.period_start:%Y-%m-%d %H:%M}: {self.used}+{self.reserved}"


class EndUserCounter(models.Model):
    """What one end user has used and promised of a quota for each. Only the gateway's statements write here.

    A table of its own, because pages ask who used most: with an index of what counters have used each of their changes
    would go into every index, of those too that calls without an end user are counted by.
    """

    pk = models.CompositePrimaryKey("quota_id", "period_start", "end_user")
    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="end_users", db_index=False)
    period_start = models.DateTimeField()
    # As the log keeps it. By its bytes, which is the order the gateway takes counters in.
    end_user = models.CharField(max_length=256, db_collation="C")
    used = models.BigIntegerField(default=0, db_default=0)
    reserved = models.BigIntegerField(default=0, db_default=0)
    opening = models.BigIntegerField(default=0, db_default=0, help_text="Of `used`, what it was before the quota.")

    class Meta:
        indexes = [
            models.Index(
                "quota", "period_start", models.F("used").desc(), "end_user", name="end_users_by_what_they_used"
            )
        ]

    def __str__(self) -> str:
        return f"{self.quota_id} {self.period_start:%Y-%m-%d %H:%M} {self.end_user}: {self.used}+{self.reserved}"


class QuotaAlert(models.Model):
    """A threshold of a quota that was passed in a period; written once, so that people are told once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    quota = models.ForeignKey(Quota, on_delete=models.CASCADE, related_name="alerts")
    period_start = models.DateTimeField()
    percent = models.PositiveSmallIntegerField()
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["quota", "period_start", "percent"], name="one_alert_per_threshold")
        ]

    def __str__(self) -> str:
        return f"{self.percent} % of {self.quota}"
