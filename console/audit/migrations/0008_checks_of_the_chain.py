import console.core.clock
import console.core.ids
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0007_whose_call_it_was"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChainCheck",
            fields=[
                (
                    "id",
                    models.UUIDField(default=console.core.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Checking"),
                            ("whole", "Intact"),
                            ("broken", "Altered"),
                            ("failed", "Interrupted"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("actor_kind", models.CharField(max_length=10)),
                ("actor_id", models.UUIDField(null=True)),
                ("actor_name", models.CharField(max_length=200)),
                ("last", models.BigIntegerField()),
                ("reached", models.BigIntegerField(default=0)),
                ("blocks", models.BigIntegerField(default=0)),
                ("rows", models.BigIntegerField(default=0)),
                ("dropped", models.BigIntegerField(default=0, help_text="Blocks whose rows are past their retention.")),
                ("problem_count", models.PositiveIntegerField(default=0)),
                ("problems", models.JSONField(default=list, help_text="The first of them: block, what.")),
                ("head", models.BinaryField(help_text="The hash of block `last` when it began.", max_length=32)),
                ("head_sealed_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("leased_until", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=console.core.clock.now)),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "audit_chain_check",
                "ordering": ["created_at", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        models.Value(1),
                        condition=models.Q(("state__in", ["waiting", "running"])),
                        name="one_chain_check_at_a_time",
                    )
                ],
            },
        ),
    ]
