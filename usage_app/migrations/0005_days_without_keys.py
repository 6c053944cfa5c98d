"""Sum days over the keys of a team: no page cuts a day by key, and the overview read twice the histograms for nothing."""

from django.db import migrations, models

from console.core.histogram import BUCKETS

_CUT = "day, team_id, environment, type, lane, alias, model"
_SUMS = "requests, errors, refusals, prompt_tokens, completion_tokens, cost_micros"


def _summed(column: str) -> str:
    return "ARRAY[" + ", ".join(f"coalesce(sum({column}[{i}]), 0)::int" for i in range(1, BUCKETS + 1)) + "]"


# Which key it was stays in the hours and in the log; back again, the sums stay summed.
_MERGE = f"""
CREATE TEMPORARY TABLE merged_days ON COMMIT DROP AS
    SELECT {_CUT}, {", ".join(f"sum({name}) AS {name}" for name in _SUMS.split(", "))},
           {_summed("latency")} AS latency, {_summed("first_token")} AS first_token
    FROM usage_usageday GROUP BY {_CUT};
DELETE FROM usage_usageday;
INSERT INTO usage_usageday ({_CUT}, {_SUMS}, latency, first_token)
    SELECT {_CUT}, {_SUMS}, latency, first_token FROM merged_days;
"""  # noqa: S608


class Migration(migrations.Migration):
    dependencies = [("usage", "0004_counters_by_key_alone")]
    operations = [
        migrations.RunSQL(_MERGE, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="usageday", name="one_row_per_day_and_cut"),
        migrations.RemoveField(model_name="usageday", name="key_id"),
        migrations.AddConstraint(
            model_name="usageday",
            constraint=models.UniqueConstraint(
                fields=["day", "team_id", "environment", "type", "lane", "alias", "model"],
                name="one_row_per_day_and_cut",
            ),
        ),
    ]
