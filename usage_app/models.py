"""Limits, what counts against them, and the roll-ups behind the dashboards."""

from typing import cast

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

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


class Quota(models.Model):
    """One limit of a team, or of one key, alias, agent or widget inside it.

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
                fields=["team", "key", "alias", "agent", "widget_id", "purpose", "metric", "window"],
                name="one_quota_of_a_kind",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=models.Q(limit__gte=0), name="quota_limit_not_negative"),
            models.CheckConstraint(
                condition=(models.Q(metric="concurrency") & models.Q(window=""))
                | (~models.Q(metric="concurrency") & ~models.Q(window="")),
                name="quota_has_a_window_unless_concurrency",
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
            what = "Calls at once"
        else:
            what = f"{Metric(self.metric).label} per {self.window}"
        return f"{what}, shadow copies only" if self.purpose == Purpose.SHADOW else what

    @property
    def is_team_wide(self) -> bool:
        return self.key_id is None and self.widget_id is None and not (self.alias or self.agent)

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


class Sums(models.Model):
    """Calls of one stretch of time, summed. Made from the log by `roll_up` only."""

    id = models.BigAutoField(primary_key=True)
    team_id = models.UUIDField()
    environment = models.CharField(max_length=10)
    alias = models.CharField(max_length=100)
    model = models.CharField(max_length=270)
    requests = models.IntegerField(default=0)
    errors = models.IntegerField(default=0)
    refusals = models.IntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    # Latency and time to first token as histograms: counts per bucket of console.core.histogram.
    latency = ArrayField(models.IntegerField(), default=list)
    first_token = ArrayField(models.IntegerField(), default=list)

    class Meta:
        abstract = True


class UsageSum(Sums):
    """Cut by everything the dashboards cut by."""

    type = models.CharField(max_length=20)
    lane = models.CharField(max_length=12)

    class Meta:
        abstract = True


class UsageHour(UsageSum):
    """One hour, UTC: what the last day is drawn from, and what a new quota, of a key too, finds already used."""

    hour = models.DateTimeField()
    key_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "team_id", "key_id", "environment", "type", "lane", "alias", "model"],
                name="one_row_per_hour_and_cut",
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(fields=["team_id", "hour"], name="usage_hours_of_a_team")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h {self.alias}: {self.requests}"


class UsageDay(UsageSum):
    """One day, UTC: what weeks and months are drawn from. Nothing cuts those by key, and keys would double the rows."""

    day = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "team_id", "environment", "type", "lane", "alias", "model"],
                name="one_row_per_day_and_cut",
            )
        ]
        # With the sums, so that a month of all teams is read from the index and not from rows full of histograms.
        indexes = [
            models.Index(
                fields=["team_id", "day"],
                include=["requests", "errors", "refusals", "prompt_tokens", "completion_tokens", "cost_micros"],
                name="usage_days_with_sums",
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.alias}: {self.requests}"


class UsageTotal(models.Model):
    """Calls since `since`, summed by everything the metrics cut by. Made by `roll_up`; only ever grows, never pruned.

    Metrics are counters, so what they count must not fall when hours and records are forgotten. `code` is empty for
    calls that were answered, and for failures whose code is a provider's own word.
    """

    id = models.BigAutoField(primary_key=True)
    team_id = models.UUIDField()
    environment = models.CharField(max_length=10)
    type = models.CharField(max_length=20)
    lane = models.CharField(max_length=12)
    alias = models.CharField(max_length=100)
    model = models.CharField(max_length=270)
    status = models.CharField(max_length=20)
    code = models.CharField(max_length=60)
    requests = models.BigIntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    # All durations together, and how many there were in each octave of console.core.histogram.
    latency_us = models.BigIntegerField(default=0)
    first_token_us = models.BigIntegerField(default=0)
    latency = ArrayField(models.BigIntegerField(), default=list)
    first_token = ArrayField(models.BigIntegerField(), default=list)
    since = models.DateTimeField(default=now, db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team_id", "environment", "type", "lane", "alias", "model", "status", "code"],
                name="one_total_per_cut",
            )
        ]

    def __str__(self) -> str:
        return f"{self.alias} {self.status}: {self.requests}"


class UsageTouchpoint(Sums):
    """One day, UTC, of one place where AI is used: what the inventory says of a key, a widget or an agent.

    Each call is in one of them: a run's is its agent's, whoever started it; else it is the key's or the widget's it
    came by, and a person's chat is the assistant's. What people only try out is in none, nor are copies to a shadow.
    What a call looks up in documents costs its place something and is no call of it.
    """

    class Kind(models.TextChoices):
        KEY = "key"
        WIDGET = "widget"
        AGENT = "agent"

    day = models.DateField()
    kind = models.CharField(max_length=6, choices=Kind.choices)
    subject = models.CharField(max_length=60, help_text="The id of a key or a widget; the short name of an agent.")
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "team_id", "kind", "subject", "environment", "alias", "model"],
                name="one_row_per_day_and_touchpoint",
            )
        ]
        indexes = [
            models.Index(fields=["team_id", "day"], include=["kind", "subject", "last_at"], name="touchpoint_days")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.subject}: {self.requests}"


class UsageEndUser(models.Model):
    """One month, UTC, of one end user of a team: whose calls they were, as the callers name their own users.

    There may be as many as there are calls, so a month has one row of each and no histograms, and the row without a
    name sums up all of the team's that have one. Kept as long as the log is.
    """

    id = models.BigAutoField(primary_key=True)
    month = models.DateField(help_text="Its first day.")
    team_id = models.UUIDField()
    end_user = models.CharField(max_length=256)
    requests = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    refusals = models.BigIntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team_id", "month", "end_user"], name="one_row_per_month_and_end_user")
        ]
        # In the order of the bill, so that its first lines are read and no others.
        indexes = [
            models.Index(
                "team_id",
                "month",
                models.F("cost_micros").desc(),
                models.F("requests").desc(),
                "end_user",
                name="end_users_by_cost",
                condition=~models.Q(end_user=""),
            ),
            models.Index(fields=["month"], name="end_users_by_month"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.end_user}: {self.requests}"


class RollUpState(models.Model):
    """How far `roll_up` has read the audit log (its `tx` column). One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next_tx = models.BigIntegerField(default=0)
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"read to {self.next_tx}"


class Reservation(models.Model):
    """An open call: what it may still use, and what the sweeper needs to end it if its process dies.

    Written by the gateway's `begin` and deleted by `close`; whoever deletes it writes the end record.
    The four arrays run in parallel, one place per quota that counts this call. It is also the lease behind
    `concurrency`: it expires.
    """

    id = models.UUIDField(primary_key=True, help_text="The request's id.")
    team_id = models.UUIDField()
    process = models.TextField(help_text="The process that holds the call open.")
    expires_at = models.DateTimeField()
    quota_ids = ArrayField(models.BigIntegerField())
    period_starts = ArrayField(models.DateTimeField())
    metrics = ArrayField(models.TextField())
    amounts = ArrayField(models.BigIntegerField())
    record = models.TextField(help_text="The audit row as far as it is known, as JSON.")

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="reservations_by_expiry")]

    def __str__(self) -> str:
        return str(self.id)
