"""Providers and the versions of their models, with prices; aliases, and the pins that say what they mean today."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("catalog", "0001_models_and_pins"),
        ("catalog", "0002_pin_neighbours_and_limits"),
    ]

    dependencies = [
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Alias",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=100, unique=True)),
                        ("description", models.CharField(blank=True, max_length=300)),
                        (
                            "needs_second_person",
                            models.BooleanField(
                                default=False,
                                help_text="Changes of its production pin wait until somebody else agrees.",
                            ),
                        ),
                        ("revision", models.PositiveIntegerField(default=1, help_text="Grows with every change.")),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                        ("teams", models.ManyToManyField(blank=True, related_name="aliases", to="teams.team")),
                    ],
                    options={
                        "verbose_name_plural": "aliases",
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="Provider",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("slug", models.SlugField(max_length=60, unique=True)),
                        ("name", models.CharField(max_length=120)),
                        ("kind", models.CharField(max_length=30)),
                        ("base_url", models.CharField(max_length=500)),
                        ("secret", models.TextField(blank=True, help_text="Encrypted; never shown.")),
                        ("is_builtin", models.BooleanField(default=False)),
                        ("is_enabled", models.BooleanField(default=True)),
                        ("first_byte_seconds", models.PositiveIntegerField(blank=True, null=True)),
                        ("total_seconds", models.PositiveIntegerField(blank=True, null=True)),
                        ("max_concurrency", models.PositiveIntegerField(blank=True, null=True)),
                        ("requests_per_minute", models.PositiveIntegerField(blank=True, null=True)),
                        ("tokens_per_minute", models.PositiveIntegerField(blank=True, null=True)),
                        (
                            "preset",
                            models.CharField(blank=True, help_text="The preset it was made from.", max_length=60),
                        ),
                        ("tested_at", models.DateTimeField(blank=True, null=True)),
                        ("was_test_ok", models.BooleanField(blank=True, null=True)),
                        ("revision", models.PositiveIntegerField(default=1, help_text="Grows with every change.")),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["name"],
                    },
                ),
                migrations.CreateModel(
                    name="ProviderIncident",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "provider",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="incidents",
                                to="catalog.provider",
                            ),
                        ),
                        ("minute", models.DateTimeField()),
                        ("last_at", models.DateTimeField(default=console.core.clock.now)),
                        ("code", models.CharField(max_length=60)),
                        ("model", models.CharField(blank=True, max_length=200)),
                        ("sentence", models.CharField(max_length=500)),
                        ("count", models.PositiveIntegerField(default=1)),
                    ],
                    options={
                        "ordering": ["-last_at"],
                        "indexes": [models.Index(fields=["provider", "-last_at"], name="incidents_of_a_provider")],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "minute", "code", "model"), name="one_incident_per_minute"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ModelVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "provider",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="model_versions",
                                to="catalog.provider",
                            ),
                        ),
                        ("name", models.CharField(help_text="The model's name at the provider.", max_length=200)),
                        ("description", models.CharField(blank=True, max_length=300)),
                        ("context_tokens", models.PositiveIntegerField(default=8192)),
                        ("max_output_tokens", models.PositiveIntegerField(default=4096)),
                        (
                            "capabilities",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("chat", "Chat"),
                                        ("completion", "Completion"),
                                        ("embedding", "Embedding"),
                                        ("tools", "Tools"),
                                        ("json_schema", "JSON schema"),
                                        ("vision", "Vision"),
                                        ("reasoning", "Reasoning"),
                                    ],
                                    max_length=20,
                                ),
                                default=list,
                                size=None,
                            ),
                        ),
                        ("shutdown_on", models.DateField(blank=True, null=True)),
                        (
                            "successor",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="catalog.modelversion",
                            ),
                        ),
                        ("retired_at", models.DateTimeField(blank=True, null=True)),
                        ("revision", models.PositiveIntegerField(default=1, help_text="Grows with every change.")),
                        ("created_at", models.DateTimeField(default=console.core.clock.now, editable=False)),
                    ],
                    options={
                        "ordering": ["provider__name", "name"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("provider", "name"), name="one_version_per_name_and_provider"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Price",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "model_version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="prices",
                                to="catalog.modelversion",
                            ),
                        ),
                        ("effective_from", models.DateTimeField(default=console.core.clock.now)),
                        ("input", models.DecimalField(decimal_places=6, max_digits=12)),
                        ("cached_input", models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                        ("output", models.DecimalField(decimal_places=6, max_digits=12)),
                        ("reasoning", models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                    ],
                    options={
                        "ordering": ["-effective_from"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("model_version", "effective_from"), name="one_price_per_moment"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("input__gte", 0),
                                    ("output__gte", 0),
                                    models.Q(("cached_input__isnull", True), ("cached_input__gte", 0), _connector="OR"),
                                    models.Q(("reasoning__isnull", True), ("reasoning__gte", 0), _connector="OR"),
                                ),
                                name="price_not_negative",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="ShutdownNotice",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "model_version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notices",
                                to="catalog.modelversion",
                            ),
                        ),
                        ("shutdown_on", models.DateField()),
                        ("days", models.PositiveSmallIntegerField()),
                        ("at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("model_version", "shutdown_on", "days"), name="one_notice_per_threshold"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Pin",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "alias",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="pins", to="catalog.alias"
                            ),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")], max_length=10
                            ),
                        ),
                        (
                            "model_version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="pins",
                                to="catalog.modelversion",
                            ),
                        ),
                        ("default_parameters", models.JSONField(blank=True, default=dict)),
                        (
                            "max_parameters",
                            models.JSONField(
                                blank=True, default=dict, help_text="The most a call may ask for, by name."
                            ),
                        ),
                        (
                            "canary_version",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="canary_pins",
                                to="catalog.modelversion",
                            ),
                        ),
                        ("canary_percent", models.PositiveSmallIntegerField(default=0)),
                        ("canary_since", models.DateTimeField(blank=True, null=True)),
                        (
                            "shadow_version",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="shadow_pins",
                                to="catalog.modelversion",
                            ),
                        ),
                        ("shadow_percent", models.PositiveSmallIntegerField(default=0)),
                        (
                            "lane",
                            models.CharField(
                                blank=True,
                                choices=[("interactive", "Interactive"), ("standard", "Standard"), ("batch", "Batch")],
                                help_text="The fastest lane it gives; empty: as the caller may.",
                                max_length=12,
                            ),
                        ),
                        (
                            "revision",
                            models.PositiveIntegerField(
                                default=1, help_text="Grows with every move; a form that saw an older one is stale."
                            ),
                        ),
                        ("moved_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(fields=("alias", "environment"), name="one_pin_per_environment"),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("canary_percent__lte", 100),
                                    models.Q(("canary_version__isnull", False), ("canary_percent", 0), _connector="OR"),
                                ),
                                name="canary_is_a_share_of_a_version",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("shadow_percent__lte", 100),
                                    models.Q(("shadow_version__isnull", False), ("shadow_percent", 0), _connector="OR"),
                                ),
                                name="shadow_is_a_share_of_a_version",
                            ),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PinFallback",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "pin",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="fallbacks", to="catalog.pin"
                            ),
                        ),
                        ("position", models.PositiveSmallIntegerField()),
                        (
                            "model_version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="fallback_pins",
                                to="catalog.modelversion",
                            ),
                        ),
                        (
                            "on",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.CharField(
                                    choices=[
                                        ("error", "Error"),
                                        ("timeout", "Timeout"),
                                        ("busy", "Busy"),
                                        ("unreachable", "Unreachable"),
                                    ],
                                    max_length=12,
                                ),
                                default=list,
                                size=None,
                            ),
                        ),
                        ("tries", models.PositiveSmallIntegerField(default=1)),
                    ],
                    options={
                        "ordering": ["position"],
                        "constraints": [
                            models.UniqueConstraint(fields=("pin", "position"), name="one_fallback_per_position"),
                            models.UniqueConstraint(fields=("pin", "model_version"), name="one_fallback_per_version"),
                            models.CheckConstraint(condition=models.Q(("tries__gte", 1)), name="fallback_is_tried"),
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PinMove",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "pin",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="moves", to="catalog.pin"
                            ),
                        ),
                        (
                            "change",
                            models.CharField(
                                choices=[
                                    ("moved", "Moved"),
                                    ("rolled_back", "Rolled Back"),
                                    ("canary", "Canary"),
                                    ("promoted", "Promoted"),
                                    ("canary_ended", "Canary Ended"),
                                    ("shadow", "Shadow"),
                                    ("fallbacks", "Fallbacks"),
                                    ("parameters", "Parameters"),
                                    ("lane", "Lane"),
                                ],
                                default="moved",
                                max_length=12,
                            ),
                        ),
                        (
                            "from_version",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="catalog.modelversion",
                            ),
                        ),
                        (
                            "to_version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="catalog.modelversion"
                            ),
                        ),
                        ("before", models.JSONField(default=dict, help_text="What changed, as it was.")),
                        ("after", models.JSONField(default=dict, help_text="What changed, as it is now.")),
                        ("reason", models.CharField(max_length=500)),
                        (
                            "moved_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("moved_by_name", models.CharField(max_length=200)),
                        (
                            "agreed_by_name",
                            models.CharField(blank=True, help_text="Who agreed, where two have to.", max_length=200),
                        ),
                        ("moved_at", models.DateTimeField(default=console.core.clock.now)),
                    ],
                    options={
                        "ordering": ["-moved_at"],
                    },
                ),
                migrations.CreateModel(
                    name="PinProposal",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "alias",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="proposals",
                                to="catalog.alias",
                            ),
                        ),
                        (
                            "environment",
                            models.CharField(
                                choices=[("production", "Production"), ("sandbox", "Sandbox")], max_length=10
                            ),
                        ),
                        ("verb", models.CharField(max_length=20)),
                        ("arguments", models.JSONField(default=dict)),
                        ("sentence", models.CharField(help_text="What would change, for people.", max_length=500)),
                        ("reason", models.CharField(max_length=500)),
                        ("seen_revision", models.PositiveIntegerField()),
                        (
                            "proposed_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("proposed_by_name", models.CharField(max_length=200)),
                        ("proposed_at", models.DateTimeField(default=console.core.clock.now)),
                        (
                            "decision",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("approved", "Approved"),
                                    ("rejected", "Rejected"),
                                    ("withdrawn", "Withdrawn"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "decided_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("decided_by_name", models.CharField(blank=True, max_length=200)),
                        ("decided_at", models.DateTimeField(blank=True, null=True)),
                        ("decision_reason", models.CharField(blank=True, max_length=500)),
                    ],
                    options={
                        "ordering": ["-proposed_at"],
                        "constraints": [
                            models.UniqueConstraint(
                                condition=models.Q(("decision", "")),
                                fields=("alias", "environment"),
                                name="one_open_proposal_per_pin",
                            ),
                            models.CheckConstraint(
                                condition=models.Q(
                                    ("proposed_by__isnull", True),
                                    ("decided_by__isnull", True),
                                    models.Q(("decided_by", models.F("proposed_by")), _negated=True),
                                    models.Q(("decision", "approved"), _negated=True),
                                    _connector="OR",
                                ),
                                name="nobody_approves_their_own",
                            ),
                        ],
                    },
                ),
            ],
        ),
    ]
