"""Which calls were made under an idempotency key, and which responses were forgotten."""

from django.db import migrations, models

from console.core.operations import CreateModels


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("api", "0001_idempotency_claims"),
        ("api", "0002_management_claims"),
        ("api", "0003_forgotten_responses"),
    ]

    dependencies = []

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="IdempotencyClaim",
                    fields=[
                        (
                            "digest",
                            models.BinaryField(
                                help_text="Of credential, route and key.",
                                max_length=32,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("body_sha256", models.BinaryField(help_text="Of the canonical body.", max_length=32)),
                        ("request_id", models.UUIDField()),
                        ("started_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField(db_index=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="ManagementClaim",
                    fields=[
                        (
                            "digest",
                            models.BinaryField(
                                help_text="Of credential, route and key.",
                                max_length=32,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("body_sha256", models.BinaryField(help_text="Of the canonical body.", max_length=32)),
                        ("request_id", models.UUIDField()),
                        ("status", models.PositiveSmallIntegerField()),
                        (
                            "answer",
                            models.TextField(blank=True, help_text="JSON, redacted, without what is shown once."),
                        ),
                        ("expires_at", models.DateTimeField(db_index=True)),
                    ],
                ),
                migrations.CreateModel(
                    name="ForgottenResponse",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                editable=False, help_text="The id of its request.", primary_key=True, serialize=False
                            ),
                        ),
                        ("forgotten_at", models.DateTimeField()),
                    ],
                ),
            ],
        ),
    ]
