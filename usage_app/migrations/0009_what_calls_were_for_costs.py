from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0008_days_read_from_their_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageLabel",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("month", models.DateField(help_text="Its first day.")),
                ("team_id", models.UUIDField()),
                ("name", models.CharField(max_length=64)),
                ("value", models.CharField(max_length=512)),
                ("values_kept", models.IntegerField(default=0)),
                ("requests", models.BigIntegerField(default=0)),
                ("errors", models.BigIntegerField(default=0)),
                ("refusals", models.BigIntegerField(default=0)),
                ("prompt_tokens", models.BigIntegerField(default=0)),
                ("completion_tokens", models.BigIntegerField(default=0)),
                ("cost_micros", models.BigIntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("team_id"),
                        models.F("month"),
                        models.F("name"),
                        models.OrderBy(models.F("cost_micros"), descending=True),
                        models.OrderBy(models.F("requests"), descending=True),
                        models.F("value"),
                        condition=models.Q(("value", ""), _negated=True),
                        name="labels_by_cost",
                    ),
                    models.Index(fields=["month"], name="labels_by_month"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team_id", "month", "value", "name"), name="one_row_per_month_and_label"
                    )
                ],
            },
        ),
    ]
