"""Channels, what was told, and whether it arrived."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("teams", "0001_initial"),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Channel",
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
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="channels",
                                to="teams.team",
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("email", "E-mail"),
                                    ("slack", "Slack-compatible webhook"),
                                    ("webhook", "Signed webhook"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        (
                            "addresses",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.EmailField(max_length=254),
                                blank=True,
                                default=list,
                                help_text="Of a channel by e-mail.",
                                size=None,
                            ),
                        ),
                        ("url", models.TextField(blank=True, help_text="Encrypted; only its host is shown.")),
                        (
                            "host",
                            models.CharField(blank=True, help_text="Scheme, host and port of the URL.", max_length=300),
                        ),
                        ("secret", models.TextField(blank=True, help_text="Encrypted; what a webhook is signed with.")),
                        (
                            "wants",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("quota", "Quotas"),
                                        ("approval", "Approvals"),
                                        ("drift", "Drift"),
                                        ("shutdown", "Shutdowns of models"),
                                        ("provider", "Health of providers"),
                                        ("seal", "Seal of the log"),
                                    ],
                                    max_length=10,
                                ),
                                default=list,
                                size=None,
                            ),
                        ),
                        ("is_active", models.BooleanField(default=True)),
                        ("delivered_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "problem",
                            models.CharField(
                                blank=True, help_text="Of the last delivery, if it failed.", max_length=500
                            ),
                        ),
                        ("problem_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("team", "name"), name="one_channel_of_a_name", nulls_distinct=False
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Notice",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("quota", "Quotas"),
                                    ("approval", "Approvals"),
                                    ("drift", "Drift"),
                                    ("shutdown", "Shutdowns of models"),
                                    ("provider", "Health of providers"),
                                    ("seal", "Seal of the log"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("key", models.CharField(max_length=200)),
                        (
                            "team",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notices",
                                to="teams.team",
                            ),
                        ),
                        ("title", models.CharField(max_length=300)),
                        ("text", models.TextField()),
                        ("url", models.CharField(max_length=1000)),
                        ("facts", models.JSONField(default=dict)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "indexes": [models.Index(fields=["created_at"], name="notices_by_time")],
                        "constraints": [models.UniqueConstraint(fields=("kind", "key"), name="told_once")],
                    },
                ),
                migrations.CreateModel(
                    name="Delivery",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "notice",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="deliveries",
                                to="notices.notice",
                            ),
                        ),
                        (
                            "channel",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="deliveries",
                                to="notices.channel",
                            ),
                        ),
                        (
                            "way",
                            models.CharField(
                                choices=[
                                    ("channel", "By a channel"),
                                    ("mail", "Mail to a person"),
                                    ("setting", "APPROVAL_WEBHOOK_URL"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("address", models.CharField(blank=True, help_text="Of a mail.", max_length=254)),
                        (
                            "instead_of",
                            models.CharField(
                                blank=True, help_text="Why it is mailed: what a channel answered.", max_length=700
                            ),
                        ),
                        (
                            "state",
                            models.CharField(
                                choices=[("waiting", "On its way"), ("delivered", "Delivered"), ("failed", "Failed")],
                                default="waiting",
                                max_length=10,
                            ),
                        ),
                        ("attempts", models.PositiveSmallIntegerField(default=0)),
                        ("next_try_at", models.DateTimeField(default=console.core.clock.now, null=True)),
                        ("problem", models.CharField(blank=True, max_length=500)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("ended_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state", "waiting")), fields=["next_try_at"], name="deliveries_due"
                            )
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("notice", "way", "channel", "address"),
                                name="one_delivery_per_address",
                                nulls_distinct=False,
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("next_try_at__isnull", False), ("state", "waiting")),
                                    models.Q(models.Q(("state", "waiting"), _negated=True), ("next_try_at", None)),
                                    _connector="OR",
                                ),
                                name="only_what_waits_is_tried",
                            ),
                        ],
                    },
                ),
            ],
        ),
    ]
