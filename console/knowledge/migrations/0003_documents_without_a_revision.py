"""Nobody reads how often a document changed.

Processes of an older version still name the column during a rolling update, so it stays, with a default.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0002_least_likeness")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AlterField(
                    model_name="document",
                    name="revision",
                    field=models.PositiveIntegerField(db_default=1, default=1),
                )
            ],
            state_operations=[migrations.RemoveField(model_name="document", name="revision")],
        ),
    ]
