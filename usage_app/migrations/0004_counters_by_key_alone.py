"""Find counters by their key alone: the index of the quota found every period of it, and cost each new counter a row."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0003_days_with_sums"),
    ]

    operations = [
        migrations.AlterField(
            model_name="quotacounter",
            name="quota",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="counters", to="usage.quota"
            ),
        ),
    ]
