"""Roll-ups of calls by every dimension of pages, metrics and bills. Each call is counted once."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from console.core.clock import now


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
    attempts = models.IntegerField(
        default=0, db_default=0, help_text="Of the errors, those a fallback followed: no caller heard of them."
    )

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


class UsageMinute(models.Model):
    """One minute, UTC, of a team's calls, as their callers met them: what alert rules look at.

    Each call counts in the minute it ended in. Filled while there are rules, and kept for two hours. An environment
    has rows if a rule looks at it; an alias has its own if a rule is of it, and the others share those without one.
    """

    pk = models.CompositePrimaryKey("minute", "team_id", "environment", "alias")
    minute = models.DateTimeField()
    team_id = models.UUIDField()
    environment = models.CharField(max_length=10, db_default="production")
    alias = models.CharField(max_length=100, db_default="")
    calls = models.IntegerField(help_text="Without refused ones, shadow copies, and attempts a fallback followed.")
    errors = models.IntegerField()
    latency = ArrayField(models.IntegerField(), help_text="As in the hours; without the batch lane.")

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M}: {self.errors} of {self.calls}"


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
        # With the sums and what dashboards filter by, so that a month of all teams is read from the index and not
        # from rows full of histograms.
        indexes = [
            models.Index(
                fields=["team_id", "day"],
                include=[
                    "environment",
                    "type",
                    "requests",
                    "errors",
                    "refusals",
                    "attempts",
                    "prompt_tokens",
                    "completion_tokens",
                    "cost_micros",
                ],
                name="usage_days_summed",
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


class MonthlySum(models.Model):
    """Calls of one month, UTC, of one team, cut by what there may be any number of: no histograms."""

    id = models.BigAutoField(primary_key=True)
    month = models.DateField(help_text="Its first day.")
    team_id = models.UUIDField()
    requests = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    refusals = models.BigIntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class UsageEndUser(MonthlySum):
    """One month, UTC, of one end user of a team: whose calls they were, as the callers name their own users.

    There may be as many as there are calls, so a month has one row of each and no histograms, and the row without a
    name sums up all of the team's that have one. Kept as long as the log is.
    """

    end_user = models.CharField(max_length=256)

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


class UsageLabel(MonthlySum):
    """One month, UTC, of one value of one name in the `metadata` of a team's calls.

    The row without a value sums up all calls that have the name, and says how many values have a row. There are at most
    so many as `usage_app/sql/labels.py` says: a label may be another one with each call. Kept as the log is.
    """

    name = models.CharField(max_length=64)
    value = models.CharField(max_length=512)
    values_kept = models.IntegerField(default=0)

    class Meta:
        # In this order it finds the names there are, too: those rows have no value.
        constraints = [
            models.UniqueConstraint(fields=["team_id", "month", "value", "name"], name="one_row_per_month_and_label")
        ]
        # In the order of the bill, so that its first lines are read and no others.
        indexes = [
            models.Index(
                "team_id",
                "month",
                "name",
                models.F("cost_micros").desc(),
                models.F("requests").desc(),
                "value",
                name="labels_by_cost",
                condition=~models.Q(value=""),
            ),
            models.Index(fields=["month"], name="labels_by_month"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.name}={self.value}: {self.requests}"


class RollUpState(models.Model):
    """How far `roll_up` has read the audit log (its `tx` column). One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next_tx = models.BigIntegerField(default=0)
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"read to {self.next_tx}"
