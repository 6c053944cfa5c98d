"""Sum days by key, widget and agent too, for the inventory; what hours know of keys is taken over."""

import django.contrib.postgres.fields
from django.db import migrations, models

from console.core.histogram import BUCKETS

_SUMS = "requests, errors, refusals, prompt_tokens, completion_tokens, cost_micros"


def _summed(column: str) -> str:
    return "ARRAY[" + ", ".join(f"coalesce(sum({column}[{i}]), 0)::int" for i in range(1, BUCKETS + 1)) + "]"


# Hours say which key it was, not which widget or agent: those begin with the next call.
_FROM_HOURS = f"""
INSERT INTO usage_usagetouchpoint
    (day, team_id, kind, subject, environment, alias, model, {_SUMS}, latency, first_token, last_at)
SELECT (hour AT TIME ZONE 'UTC')::date, team_id, 'key', key_id::text, environment, alias, model,
       {", ".join(f"sum({name})" for name in _SUMS.split(", "))}, {_summed("latency")}, {_summed("first_token")}, max(hour)
FROM usage_usagehour
WHERE key_id IS NOT NULL
  AND type NOT IN ('admin', 'access', 'models', 'tool', 'shadow', 'playground', 'evaluation', 'agent')
GROUP BY 1, 2, 4, 5, 6, 7
"""  # noqa: S608


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0006_totals_of_calls"),
    ]

    operations = [
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
                    models.CharField(choices=[("key", "Key"), ("widget", "Widget"), ("agent", "Agent")], max_length=6),
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
                        fields=["team_id", "day"], include=("kind", "subject", "last_at"), name="touchpoint_days"
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
        migrations.RunSQL(_FROM_HOURS, migrations.RunSQL.noop),
    ]
