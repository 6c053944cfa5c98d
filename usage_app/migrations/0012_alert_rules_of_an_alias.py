"""Alert rules look at one environment, and may be of one alias.

Of rules that say the same of the same minutes, the one that is told first stays.
"""

from django.db import migrations, models

KEY = """
ALTER TABLE usage_usageminute DROP CONSTRAINT usage_usageminute_pkey;
ALTER TABLE usage_usageminute ADD PRIMARY KEY (minute, team_id, environment, alias);
"""
KEY_BEFORE = """
TRUNCATE usage_usageminute;
ALTER TABLE usage_usageminute DROP CONSTRAINT usage_usageminute_pkey;
ALTER TABLE usage_usageminute ADD PRIMARY KEY (minute, team_id);
"""
DOUBLES = """
DELETE FROM usage_alertrule r USING usage_alertrule other
WHERE r.team_id IS NOT DISTINCT FROM other.team_id AND r.metric = other.metric AND r.minutes = other.minutes
  AND r.threshold > other.threshold
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0011_alert_rules")]

    operations = [
        migrations.AddField("usageminute", "environment", models.CharField(db_default="production", max_length=10)),
        migrations.AddField("usageminute", "alias", models.CharField(db_default="", max_length=100)),
        migrations.RunSQL(
            KEY,
            KEY_BEFORE,
            state_operations=[
                migrations.AlterField(
                    "usageminute",
                    "pk",
                    models.CompositePrimaryKey(
                        "minute",
                        "team_id",
                        "environment",
                        "alias",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                )
            ],
        ),
        migrations.RunSQL(DOUBLES, migrations.RunSQL.noop),
        migrations.AddField(
            "alertrule",
            "environment",
            models.CharField(
                choices=[("production", "Production"), ("sandbox", "Sandbox")],
                db_default="production",
                default="production",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "alertrule",
            "alias",
            models.CharField(blank=True, db_default="", default="", help_text="Empty: every call.", max_length=100),
        ),
        migrations.RemoveConstraint("alertrule", "one_alert_rule_of_a_kind"),
        migrations.AddConstraint(
            "alertrule",
            models.UniqueConstraint(
                fields=("team", "metric", "environment", "alias", "minutes"),
                name="one_alert_rule_of_a_kind",
                nulls_distinct=False,
            ),
        ),
    ]
