"""Nobody reads which process writes a message.

Processes of an older version still name the column during a rolling update, so it stays, with a default.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0002_when_it_needed_a_person")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AlterField(
                    model_name="message",
                    name="writer",
                    field=models.CharField(blank=True, db_default="", max_length=100),
                )
            ],
            state_operations=[migrations.RemoveField(model_name="message", name="writer")],
        ),
    ]
