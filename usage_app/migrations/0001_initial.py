"""Quotas with their counters, open calls, and what was used by hour, by day and by touchpoint."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("usage", "0001_quotas_and_usage"),
        ("usage", "0002_quotas_of_shadow_copies"),
        ("usage", "0003_days_with_sums"),
        ("usage", "0004_counters_by_key_alone"),
        ("usage", "0005_days_without_keys"),
        ("usage", "0006_totals_of_calls"),
        ("usage", "0007_days_of_touchpoints"),
    ]

    dependencies = [
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Quota",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("public_id", models.UUIDField(default=console.core.ids.uuid7, editable=False, unique=True)),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="quotas", to="teams.team"
                            ),
                        ),
                        (
                            "key",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="quotas",
                                to="teams.apikey",
                            ),
                        ),
                        ("alias", models.CharField(blank=True, max_length=100)),
                        (
                            "purpose",
                            models.CharField(
                                blank=True,
                                choices=[("", "Calls"), ("shadow", "Shadow copies")],
                                default="",
                                max_length=10,
                            ),
                        ),
                        (
                            "metric",
                            models.CharField(
                                choices=[
                                    ("requests", "Requests"),
                                    ("tokens", "Tokens"),
                                    ("cost", "Cost"),
                                    ("concurrency", "Concurrency"),
                                ],
                                max_length=12,
                            ),
                        ),
                        (
                            "window",
                            models.CharField(
                                blank=True,
                                choices=[("minute", "Minute"), ("hour", "Hour"), ("day", "Day"), ("month", "Month")],
                                max_length=6,
                            ),
                        ),
                        ("limit", models.BigIntegerField()),
                        (
                            "mode",
                            models.CharField(
                                choices=[("hard", "Hard"), ("soft", "Soft")], default="hard", max_length=4
                            ),
                        ),
                        ("since_epoch", models.BigIntegerField(editable=False)),
                        ("opening_used", models.BigIntegerField(default=0, editable=False)),
                        ("opening_period", models.DateTimeField(editable=False, null=True)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["team__name", "metric", "window"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("team", "key", "alias", "purpose", "metric", "window"),
                                name="one_quota_of_a_kind",
                                nulls_distinct=False,
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("limit__gte", 0)), name="quota_limit_not_negative"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("metric", "concurrency"), ("window", "")),
                                    models.Q(
                                        models.Q(("metric", "concurrency"), _negated=True),
                                        models.Q(("window", ""), _negated=True),
                                    ),
                                    _connector="OR",
                                ),
                                name="quota_has_a_window_unless_concurrency",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="QuotaIncrease",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "quota",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="increases", to="usage.quota"
                            ),
                        ),
                        ("amount", models.BigIntegerField()),
                        ("reason", models.CharField(max_length=300)),
                        ("starts_at", models.DateTimeField(default=console.core.clock.now)),
                        ("ends_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "created_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("created_by_name", models.CharField(max_length=200)),
                    ],
                    options={
                        "ordering": ["-starts_at"],
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="increase_is_positive")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="QuotaCounter",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "quota_id",
                                "period_start",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "quota",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="counters",
                                to="usage.quota",
                            ),
                        ),
                        ("period_start", models.DateTimeField()),
                        ("used", models.BigIntegerField(db_default=0, default=0)),
                        ("reserved", models.BigIntegerField(db_default=0, default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name="QuotaAlert",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "quota",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="alerts", to="usage.quota"
                            ),
                        ),
                        ("period_start", models.DateTimeField()),
                        ("percent", models.PositiveSmallIntegerField()),
                        ("at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("quota", "period_start", "percent"), name="one_alert_per_threshold"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsageHour",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("team_id", models.UUIDField()),
                        ("environment", models.CharField(max_length=10)),
                        ("alias", models.CharField(max_length=100)),
                        ("model", models.CharField(max_length=270)),
                        ("requests", models.IntegerField(default=0)),
                        ("errors", models.IntegerField(default=0)),
                        ("refusals", models.IntegerField(default=0)),
                        ("prompt_tokens", models.BigIntegerField(default=0)),
                        ("completion_tokens", models.BigIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        (
                            "latency",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(), default=list, size=None
                            ),
                        ),
                        (
                            "first_token",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(), default=list, size=None
                            ),
                        ),
                        ("type", models.CharField(max_length=20)),
                        ("lane", models.CharField(max_length=12)),
                        ("hour", models.DateTimeField()),
                        ("key_id", models.UUIDField(null=True)),
                    ],
                    options={
                        "indexes": [models.Index(fields=["team_id", "hour"], name="usage_hours_of_a_team")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("hour", "team_id", "key_id", "environment", "type", "lane", "alias", "model"),
                                name="one_row_per_hour_and_cut",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsageDay",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("team_id", models.UUIDField()),
                        ("environment", models.CharField(max_length=10)),
                        ("alias", models.CharField(max_length=100)),
                        ("model", models.CharField(max_length=270)),
                        ("requests", models.IntegerField(default=0)),
                        ("errors", models.IntegerField(default=0)),
                        ("refusals", models.IntegerField(default=0)),
                        ("prompt_tokens", models.BigIntegerField(default=0)),
                        ("completion_tokens", models.BigIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        (
                            "latency",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(), default=list, size=None
                            ),
                        ),
                        (
                            "first_token",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(), default=list, size=None
                            ),
                        ),
                        ("type", models.CharField(max_length=20)),
                        ("lane", models.CharField(max_length=12)),
                        ("day", models.DateField()),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["team_id", "day"],
                                include=(
                                    "requests",
                                    "errors",
                                    "refusals",
                                    "prompt_tokens",
                                    "completion_tokens",
                                    "cost_micros",
                                ),
                                name="usage_days_with_sums",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("day", "team_id", "environment", "type", "lane", "alias", "model"),
                                name="one_row_per_day_and_cut",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsageTotal",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("team_id", models.UUIDField()),
                        ("environment", models.CharField(max_length=10)),
                        ("type", models.CharField(max_length=20)),
                        ("lane", models.CharField(max_length=12)),
                        ("alias", models.CharField(max_length=100)),
                        ("model", models.CharField(max_length=270)),
                        ("status", models.CharField(max_length=20)),
                        ("code", models.CharField(max_length=60)),
                        ("requests", models.BigIntegerField(default=0)),
                        ("prompt_tokens", models.BigIntegerField(default=0)),
                        ("completion_tokens", models.BigIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        ("latency_us", models.BigIntegerField(default=0)),
                        ("first_token_us", models.BigIntegerField(default=0)),
                        (
                            "latency",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(), default=list, size=None
                            ),
                        ),
                        (
                            "first_token",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.BigIntegerField(), default=list, size=None
                            ),
                        ),
                        (
                            "since",
                            models.DateTimeField(
                                db_default=django.db.models.functions.datetime.Now(), default=console.core.clock.now
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("team_id", "environment", "type", "lane", "alias", "model", "status", "code"),
                                name="one_total_per_cut",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="UsageTouchpoint",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("team_id", models.UUIDField()),
                        ("environment", models.CharField(max_length=10)),
                        ("alias", models.CharField(max_length=100)),
                        ("model", models.CharField(max_length=270)),
                        ("requests", models.IntegerField(default=0)),
                        ("errors", models.IntegerField(default=0)),
                        ("refusals", models.IntegerField(default=0)),
                        ("prompt_tokens", models.BigIntegerField(default=0)),
                        ("completion_tokens", models.BigIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        (
                            "latency",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(), default=list, size=None
                            ),
                        ),
                        (
                            "first_token",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(), default=list, size=None
                            ),
                        ),
                        ("day", models.DateField()),
                        (
                            "kind",
                            models.CharField(
                                choices=[("key", "Key"), ("widget", "Widget"), ("agent", "Agent")], max_length=6
                            ),
                        ),
                        (
                            "subject",
                            models.CharField(
                                help_text="The id of a key or a widget; the short name of an agent.", max_length=60
                            ),
                        ),
                        ("last_at", models.DateTimeField()),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                fields=["team_id", "day"],
                                include=("kind", "subject", "last_at"),
                                name="touchpoint_days",
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("day", "team_id", "kind", "subject", "environment", "alias", "model"),
                                name="one_row_per_day_and_touchpoint",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="RollUpState",
                    fields=[
                        ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("next_tx", models.BigIntegerField(default=0)),
                        ("at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                ),
                migrations.CreateModel(
                    name="Reservation",
                    fields=[
                        ("id", models.UUIDField(help_text="The request's id.", primary_key=True, serialize=False)),
                        ("team_id", models.UUIDField()),
                        ("process", models.TextField(help_text="The process that holds the call open.")),
                        ("expires_at", models.DateTimeField()),
                        (
                            "quota_ids",
                            django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                        ),
                        (
                            "period_starts",
                            django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), size=None),
                        ),
                        (
                            "metrics",
                            django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
                        ),
                        (
                            "amounts",
                            django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                        ),
                        ("record", models.TextField(help_text="The audit row as far as it is known, as JSON.")),
                    ],
                    options={
                        "indexes": [models.Index(fields=["expires_at"], name="reservations_by_expiry")],
                    },
                ),
            ],
        ),
    ]
