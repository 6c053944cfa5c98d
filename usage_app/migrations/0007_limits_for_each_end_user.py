"""A quota may be for each end user, who then have counters of their own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0006_whose_calls_cost_what")]

    operations = [
        migrations.CreateModel(
            name="EndUserCounter",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "quota_id",
                        "period_start",
                        "end_user",
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
                        related_name="end_users",
                        to="usage.quota",
                    ),
                ),
                ("period_start", models.DateTimeField()),
                ("end_user", models.CharField(db_collation="C", max_length=256)),
                ("used", models.BigIntegerField(db_default=0, default=0)),
                ("reserved", models.BigIntegerField(db_default=0, default=0)),
                (
                    "opening",
                    models.BigIntegerField(
                        db_default=0, default=0, help_text="Of `used`, what it was before the quota."
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("quota"),
                        models.F("period_start"),
                        models.OrderBy(models.F("used"), descending=True),
                        models.F("end_user"),
                        name="end_users_by_what_they_used",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="quota",
            name="each_end_user",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="quota",
            name="nameless",
            field=models.CharField(
                choices=[("pass", "Let pass, uncounted"), ("refuse", "Refuse")],
                db_default="pass",
                default="pass",
                help_text="Of calls that name no end user, where each has a limit.",
                max_length=6,
            ),
        ),
        migrations.RemoveConstraint(model_name="quota", name="one_quota_of_a_kind"),
        migrations.AddConstraint(
            model_name="quota",
            constraint=models.UniqueConstraint(
                fields=("team", "key", "alias", "agent", "widget_id", "purpose", "each_end_user", "metric", "window"),
                name="one_quota_of_a_kind",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="quota",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("each_end_user", False),
                    models.Q(models.Q(("metric", "concurrency"), _negated=True), ("purpose", "")),
                    _connector="OR",
                ),
                name="quota_for_each_end_user_counts_calls",
            ),
        ),
    ]
