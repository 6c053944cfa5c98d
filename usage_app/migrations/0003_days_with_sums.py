"""Read the sums of many days from an index: the rows beside it are wide with histograms."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0002_quotas_of_shadow_copies")]
    operations = [
        migrations.AddIndex(
            model_name="usageday",
            index=models.Index(
                fields=["team_id", "day"],
                include=["requests", "errors", "refusals", "prompt_tokens", "completion_tokens", "cost_micros"],
                name="usage_days_with_sums",
            ),
        ),
        migrations.RemoveIndex(model_name="usageday", name="usage_days_of_a_team"),
    ]
