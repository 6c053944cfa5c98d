from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0003_rows_of_one_moment_in_order"),
    ]

    operations = [
        migrations.AddField(
            model_name="queue",
            name="revision",
            field=models.PositiveIntegerField(db_default=1, default=1),
        ),
    ]
