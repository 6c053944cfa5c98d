"""What is expected of keys, widgets and agents, and the places elsewhere that are to move."""

import django.db.models.deletion
import django.db.models.functions.text
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
                    name="Expectation",
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
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="expectations",
                                to="teams.team",
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[("key", "API key"), ("widget", "Chat widget"), ("agent", "Agent")],
                                max_length=6,
                            ),
                        ),
                        ("subject_id", models.UUIDField()),
                        (
                            "owner",
                            models.CharField(blank=True, help_text="Who answers for it, in words.", max_length=120),
                        ),
                        (
                            "expected",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("real_time", "Real time"),
                                    ("seconds", "Seconds"),
                                    ("minutes", "Minutes"),
                                    ("overnight", "Overnight"),
                                ],
                                max_length=9,
                            ),
                        ),
                        ("purpose", models.CharField(blank=True, max_length=300)),
                        ("changed_by_name", models.CharField(max_length=200)),
                        ("changed_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("kind", "subject_id"), name="one_expectation_each")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="LegacyTouchpoint",
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
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="legacy_touchpoints",
                                to="teams.team",
                            ),
                        ),
                        ("name", models.CharField(max_length=120)),
                        (
                            "place",
                            models.CharField(
                                blank=True, help_text="Where it lives: a site, a repository, a tool.", max_length=300
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("chat", "Chat"),
                                    ("api", "API"),
                                    ("agent", "Agent"),
                                    ("scheduled", "Scheduled"),
                                ],
                                max_length=9,
                            ),
                        ),
                        (
                            "model",
                            models.CharField(blank=True, help_text="Vendor and model, in words.", max_length=200),
                        ),
                        ("owner", models.CharField(blank=True, max_length=120)),
                        (
                            "expected",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("real_time", "Real time"),
                                    ("seconds", "Seconds"),
                                    ("minutes", "Minutes"),
                                    ("overnight", "Overnight"),
                                ],
                                max_length=9,
                            ),
                        ),
                        ("spend_micros", models.BigIntegerField(blank=True, null=True)),
                        ("notes", models.TextField(blank=True, max_length=2000)),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("planned", "Planned"),
                                    ("migrating", "Migrating"),
                                    ("migrated", "Migrated"),
                                    ("retired", "Retired"),
                                ],
                                default="planned",
                                max_length=9,
                            ),
                        ),
                        (
                            "replaced_by_kind",
                            models.CharField(
                                blank=True,
                                choices=[("key", "API key"), ("widget", "Chat widget"), ("agent", "Agent")],
                                max_length=6,
                            ),
                        ),
                        ("replaced_by_id", models.UUIDField(blank=True, null=True)),
                        ("replaced_by_name", models.CharField(blank=True, max_length=200)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("changed_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                        "constraints": [
                            models.UniqueConstraint(
                                models.F("team"),
                                django.db.models.functions.text.Lower("name"),
                                name="one_legacy_touchpoint_per_name",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    models.Q(("replaced_by_id", None), ("replaced_by_kind", "")),
                                    models.Q(
                                        models.Q(("replaced_by_kind", ""), _negated=True),
                                        ("replaced_by_id__isnull", False),
                                    ),
                                    _connector="OR",
                                ),
                                name="replaced_by_is_whole",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("spend_micros", None), ("spend_micros__gte", 0), _connector="OR"),
                                name="legacy_spend_not_negative",
                            ),
                        ],
                    },
                ),
            ],
        ),
    ]
