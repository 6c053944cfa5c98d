"""Processes of an older version add rows without these columns during a rolling update."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_how_long_the_log_is_kept"),
    ]

    operations = [
        migrations.AlterField(
            model_name="sealstate",
            name="archive_problem",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AlterField(
            model_name="sealstate",
            name="archived_number",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="sealstate",
            name="archived_to",
            field=models.TextField(
                blank=True, db_default="", default="", help_text="The store blocks are copied to: AUDIT_S3_URL."
            ),
        ),
    ]
