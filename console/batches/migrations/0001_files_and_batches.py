"""Files in chunks, and batches with their lines."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="File",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="files", to="teams.team"
                            ),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")], max_length=10
                            ),
                        ),
                        ("filename", models.CharField(max_length=255)),
                        (
                            "purpose",
                            models.CharField(
                                choices=[
                                    ("batch", "Batch"),
                                    ("batch_output", "Batch Output"),
                                    ("assistants", "Assistants"),
                                    ("fine-tune", "Fine Tune"),
                                    ("vision", "Vision"),
                                    ("user_data", "User Data"),
                                    ("evals", "Evals"),
                                ],
                                max_length=20,
                            ),
                        ),
                        ("bytes", models.BigIntegerField(default=0)),
                        ("sha256", models.BinaryField(max_length=32, null=True)),
                        (
                            "key",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="files",
                                to="teams.apikey",
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="files",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("creator", models.CharField(help_text="Who made it, by the name they had.", max_length=200)),
                        ("is_ready", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        (
                            "expires_at",
                            models.DateTimeField(help_text="Removed after this, unless a batch still needs it."),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(fields=["team", "-id"], name="files_of_a_team"),
                            models.Index(fields=["expires_at"], name="files_by_expiry"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="FileChunk",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "file",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="chunks", to="batches.file"
                            ),
                        ),
                        ("number", models.IntegerField()),
                        ("body", models.BinaryField()),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("file", "number"), name="one_chunk_per_number")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Batch",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "team",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="batches", to="teams.team"
                            ),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")], max_length=10
                            ),
                        ),
                        (
                            "key",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="batches",
                                to="teams.apikey",
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="batches",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("creator", models.CharField(help_text="Who made it, by the name they had.", max_length=200)),
                        (
                            "client_address",
                            models.CharField(
                                blank=True, help_text="Where from; a key's networks are asked.", max_length=45
                            ),
                        ),
                        ("name", models.CharField(help_text="For people: the input file's name.", max_length=255)),
                        ("endpoint", models.CharField(max_length=40)),
                        ("completion_window", models.CharField(default="24h", max_length=8)),
                        ("metadata", models.JSONField(default=dict)),
                        (
                            "rerun_of",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="reruns",
                                to="batches.batch",
                            ),
                        ),
                        (
                            "input_file",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="batches.file",
                            ),
                        ),
                        (
                            "output_file",
                            models.ForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="batches.file",
                            ),
                        ),
                        (
                            "error_file",
                            models.ForeignKey(
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="batches.file",
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("validating", "Validating"),
                                    ("failed", "Failed"),
                                    ("in_progress", "In progress"),
                                    ("finalizing", "Finalizing"),
                                    ("completed", "Completed"),
                                    ("expired", "Expired"),
                                    ("cancelling", "Cancelling"),
                                    ("cancelled", "Cancelled"),
                                ],
                                default="validating",
                                max_length=12,
                            ),
                        ),
                        (
                            "ends_as",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("validating", "Validating"),
                                    ("failed", "Failed"),
                                    ("in_progress", "In progress"),
                                    ("finalizing", "Finalizing"),
                                    ("completed", "Completed"),
                                    ("expired", "Expired"),
                                    ("cancelling", "Cancelling"),
                                    ("cancelled", "Cancelled"),
                                ],
                                max_length=12,
                            ),
                        ),
                        (
                            "errors",
                            models.JSONField(default=list, help_text="What is wrong with it, in OpenAI's words."),
                        ),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("in_progress_at", models.DateTimeField(null=True)),
                        ("expires_at", models.DateTimeField()),
                        ("finalizing_at", models.DateTimeField(null=True)),
                        ("completed_at", models.DateTimeField(null=True)),
                        ("failed_at", models.DateTimeField(null=True)),
                        ("expired_at", models.DateTimeField(null=True)),
                        ("cancelling_at", models.DateTimeField(null=True)),
                        ("cancelled_at", models.DateTimeField(null=True)),
                        ("total", models.IntegerField(default=0)),
                        ("completed", models.IntegerField(default=0)),
                        ("failed", models.IntegerField(default=0)),
                        ("prompt_tokens", models.BigIntegerField(default=0)),
                        ("cached_tokens", models.BigIntegerField(default=0)),
                        ("completion_tokens", models.BigIntegerField(default=0)),
                        ("reasoning_tokens", models.BigIntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("fence", models.IntegerField(default=0)),
                        (
                            "not_before",
                            models.DateTimeField(
                                help_text="Nothing is sent before: a limit or a provider asked so.", null=True
                            ),
                        ),
                        (
                            "waits_for",
                            models.CharField(blank=True, help_text="Why nothing is sent before.", max_length=500),
                        ),
                    ],
                    options={
                        "ordering": ["-id"],
                        "indexes": [
                            models.Index(fields=["team", "-id"], name="batches_of_a_team"),
                            models.Index(
                                condition=models.Q(
                                    ("state__in", ("failed", "completed", "expired", "cancelled")), _negated=True
                                ),
                                fields=["state"],
                                name="batches_under_way",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Line",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "batch",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="batches.batch"
                            ),
                        ),
                        ("number", models.IntegerField(help_text="In the input file, from 1.")),
                        ("custom_id", models.CharField(max_length=512)),
                        ("offset", models.BigIntegerField()),
                        ("length", models.IntegerField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("pending", "Pending"),
                                    ("sent", "Sent"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                ],
                                default="pending",
                                max_length=8,
                            ),
                        ),
                        ("fence", models.IntegerField(default=0)),
                        ("attempts", models.SmallIntegerField(default=0, help_text="Failed ones.")),
                        ("not_before", models.DateTimeField(null=True)),
                        ("request_id", models.UUIDField(null=True)),
                        ("status_code", models.SmallIntegerField(null=True)),
                        ("error_code", models.CharField(blank=True, max_length=80)),
                        ("error_message", models.CharField(blank=True, max_length=500)),
                        ("result", models.TextField(blank=True)),
                        ("finished_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "db_table": "batches_line",
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "pending")),
                                fields=["batch", "number"],
                                name="lines_to_send",
                            ),
                            models.Index(
                                condition=models.Q(("state", "sent")), fields=["batch"], name="lines_under_way"
                            ),
                            models.Index(
                                condition=models.Q(("state", "failed")),
                                fields=["batch", "error_code"],
                                name="lines_that_failed",
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(fields=("batch", "number"), name="one_line_per_number"),
                            models.UniqueConstraint(fields=("batch", "custom_id"), name="one_line_per_custom_id"),
                        ],
                    },
                ),
            ],
        ),
    ]
