"""Test cases of prompts, their runs, and the schedules that watch them."""

import django.db.models.deletion
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("evals", "0001_cases_runs_and_results"),
        ("evals", "0002_forget_answers"),
        ("evals", "0003_schedules_baselines_incidents"),
        ("evals", "0004_schedules_nobody_answers_for"),
    ]

    dependencies = [
        ("prompts", "0001_initial"),
        ("teams", "0001_initial"),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="TestCase",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="test_cases",
                                to="prompts.prompt",
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        ("variables", models.JSONField(default=dict)),
                        ("message", models.TextField(blank=True)),
                        ("expected", models.TextField(blank=True)),
                        ("checks", models.JSONField(default=list)),
                        ("changed_by_name", models.CharField(max_length=200)),
                        ("changed_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["name"],
                        "constraints": [
                            models.UniqueConstraint(fields=("prompt", "name"), name="one_test_case_per_name")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TestRun",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="test_runs",
                                to="prompts.prompt",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="test_runs",
                                to="prompts.promptversion",
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="teams.team"
                            ),
                        ),
                        (
                            "model",
                            models.CharField(help_text="The alias or exact version that answers.", max_length=200),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")], max_length=10
                            ),
                        ),
                        (
                            "pinned",
                            models.CharField(
                                blank=True,
                                db_default="",
                                help_text="The exact version this meant when the run started.",
                                max_length=261,
                            ),
                        ),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("queued", "Queued"),
                                    ("running", "Running"),
                                    ("done", "Done"),
                                    ("stopped", "Stopped"),
                                ],
                                default="queued",
                                max_length=8,
                            ),
                        ),
                        ("started_by_kind", models.CharField(max_length=10)),
                        ("started_by_id", models.UUIDField()),
                        ("started_by_name", models.CharField(max_length=200)),
                        ("client_address", models.CharField(blank=True, max_length=60)),
                        ("started_at", models.DateTimeField(default=console.core.clock.now)),
                        ("finished_at", models.DateTimeField(null=True)),
                        ("lease_until", models.DateTimeField(null=True)),
                    ],
                    options={
                        "ordering": ["-started_at", "-id"],
                        "indexes": [
                            models.Index(fields=["prompt", "version", "-started_at"], name="test_runs_of_a_version"),
                            models.Index(
                                condition=models.Q(("status__in", ["queued", "running"])),
                                fields=["lease_until"],
                                name="test_runs_going_on",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="TestResult",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="results", to="evals.testrun"
                            ),
                        ),
                        (
                            "case",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="evals.testcase",
                            ),
                        ),
                        ("name", models.CharField(max_length=100)),
                        ("spec", models.JSONField()),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("passed", "Passed"),
                                    ("failed", "Failed"),
                                    ("error", "Error"),
                                ],
                                default="waiting",
                                max_length=8,
                            ),
                        ),
                        ("calls", models.JSONField(default=dict)),
                        (
                            "output",
                            models.TextField(
                                blank=True, help_text="As the log keeps content: without secrets, and only so long."
                            ),
                        ),
                        ("is_forgotten", models.BooleanField(default=False)),
                        ("checks", models.JSONField(default=list)),
                        ("error", models.TextField(blank=True)),
                        ("request_id", models.UUIDField(null=True)),
                        ("tokens", models.PositiveIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        ("latency_us", models.BigIntegerField(null=True)),
                    ],
                    options={
                        "ordering": ["name"],
                        "constraints": [
                            models.UniqueConstraint(fields=("run", "case"), name="one_result_per_case_and_run")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Schedule",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "prompt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="test_schedules",
                                to="prompts.prompt",
                            ),
                        ),
                        ("label", models.CharField(max_length=60)),
                        (
                            "model",
                            models.CharField(help_text="The alias or exact version that answers.", max_length=200),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")], max_length=10
                            ),
                        ),
                        ("cron", models.CharField(max_length=100)),
                        ("time_zone", models.CharField(default="UTC", max_length=60)),
                        (
                            "tolerance",
                            models.PositiveSmallIntegerField(default=5, help_text="Points of 100 the score may fall."),
                        ),
                        ("is_paused", models.BooleanField(default=False)),
                        ("pause_reason", models.CharField(blank=True, max_length=500)),
                        (
                            "is_left",
                            models.BooleanField(
                                default=False, help_text="It paused itself: nobody answers for it any more."
                            ),
                        ),
                        (
                            "trouble",
                            models.CharField(
                                blank=True, help_text="Why the last round could not be judged whole.", max_length=500
                            ),
                        ),
                        ("acts_as_kind", models.CharField(max_length=10)),
                        ("acts_as_id", models.UUIDField()),
                        ("acts_as_name", models.CharField(max_length=200)),
                        ("client_address", models.CharField(blank=True, max_length=60)),
                        (
                            "version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        ("pinned", models.CharField(blank=True, max_length=261)),
                        (
                            "baseline",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="evals.baseline",
                            ),
                        ),
                        ("next_at", models.DateTimeField()),
                        ("created_by_name", models.CharField(max_length=200)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("is_paused", False)), fields=["next_at"], name="schedules_due"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("prompt", "label", "model", "environment"),
                                name="one_schedule_per_label_and_model",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("tolerance__lte", 100)), name="tolerance_is_of_100_points"
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Round",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "schedule",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="rounds", to="evals.schedule"
                            ),
                        ),
                        ("key", models.CharField(max_length=200)),
                        (
                            "cause",
                            models.CharField(
                                choices=[
                                    ("due", "Scheduled"),
                                    ("promotion", "After a promotion"),
                                    ("again", "Repeated after a suspicious run"),
                                    ("by_hand", "Started by hand"),
                                ],
                                max_length=9,
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="rounds",
                                to="evals.testrun",
                            ),
                        ),
                        (
                            "before",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="evals.round",
                            ),
                        ),
                        (
                            "outcome",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("fine", "Fine"),
                                    ("suspicious", "Suspicious"),
                                    ("drifted", "Drifted"),
                                    ("incomplete", "Incomplete"),
                                    ("refused", "Refused"),
                                ],
                                default="open",
                                max_length=10,
                            ),
                        ),
                        ("score", models.FloatField(null=True)),
                        ("lost", models.JSONField(default=list)),
                        ("sentence", models.CharField(blank=True, max_length=500)),
                        ("at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-at", "-id"],
                        "indexes": [
                            models.Index(fields=["schedule", "-at"], name="rounds_of_a_schedule"),
                            models.Index(
                                condition=models.Q(("outcome", "open")), fields=["run"], name="rounds_to_judge"
                            ),
                        ],
                        "constraints": [models.UniqueConstraint(fields=("schedule", "key"), name="one_round_per_key")],
                    },
                ),
                migrations.CreateModel(
                    name="Baseline",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "schedule",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="baselines",
                                to="evals.schedule",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="evals.testrun",
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="prompts.promptversion",
                            ),
                        ),
                        ("pinned", models.CharField(blank=True, max_length=261)),
                        ("score", models.FloatField()),
                        ("cases", models.JSONField(default=dict)),
                        ("reason", models.CharField(max_length=500)),
                        ("taken_by_name", models.CharField(max_length=200)),
                        ("taken_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-taken_at", "-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Incident",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "schedule",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="incidents",
                                to="evals.schedule",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="evals.testrun",
                            ),
                        ),
                        ("score_before", models.FloatField()),
                        ("score_after", models.FloatField()),
                        ("lost", models.JSONField(default=list)),
                        ("sentence", models.CharField(max_length=500)),
                        ("opened_at", models.DateTimeField(default=console.core.clock.now)),
                        ("closed_at", models.DateTimeField(null=True)),
                        ("closed_by_name", models.CharField(blank=True, max_length=200)),
                        ("closed_reason", models.CharField(blank=True, max_length=500)),
                    ],
                    options={
                        "ordering": ["-opened_at", "-id"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("closed_at", None)),
                                fields=("schedule",),
                                name="one_open_incident_per_schedule",
                            )
                        ],
                    },
                ),
            ],
        ),
    ]
