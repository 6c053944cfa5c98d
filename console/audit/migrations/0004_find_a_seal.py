"""Find the block a record is sealed in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_seal_and_retention"),
    ]

    operations = [
        migrations.AddIndex("seal", models.Index(fields=["from_tx"], name="seal_by_tx")),
    ]
