"""Processes of an older version add rows without these columns during a rolling update."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("api", "0006_the_trace_a_response_is_part_of"),
    ]

    operations = [
        migrations.AlterField(
            model_name="backgroundresponse",
            name="frame",
            field=models.TextField(blank=True, db_default=""),
        ),
    ]
