from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_rows_of_one_moment_in_order"),
    ]

    operations = [
        migrations.AddField(
            model_name="alias",
            name="needs_tests",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Its production pin moves to another version when the tests that are scheduled on it hold there.",
            ),
        ),
    ]
