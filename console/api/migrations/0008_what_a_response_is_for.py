from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("api", "0007_responses_by_the_version_before"),
    ]

    operations = [
        migrations.AddField(
            model_name="backgroundresponse",
            name="metadata",
            field=models.JSONField(blank=True, help_text="What it is for, as the log keeps that.", null=True),
        ),
    ]
