"""Processes of an older version add rows without these columns during a rolling update."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0004_quotas_know_their_revision"),
    ]

    operations = [
        migrations.AlterField(
            model_name="quota",
            name="agent",
            field=models.CharField(blank=True, db_default="", default="", max_length=60),
        ),
        migrations.AlterField(
            model_name="quota",
            name="widget",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Its name, for people.", max_length=80
            ),
        ),
    ]
