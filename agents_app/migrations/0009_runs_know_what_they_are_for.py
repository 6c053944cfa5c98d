from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0008_webhooks_take_bearer_tokens"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="metadata",
            field=models.JSONField(blank=True, help_text="What it is for, as the log keeps that.", null=True),
        ),
    ]
