from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0006_agents_know_their_settings_revision"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="end_user",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Whose it is, as the log keeps that.", max_length=256
            ),
        ),
    ]
