from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("api", "0002_management_claims"),
    ]

    operations = [
        migrations.CreateModel(
            name="ForgottenResponse",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        editable=False, help_text="The id of its request.", primary_key=True, serialize=False
                    ),
                ),
                ("forgotten_at", models.DateTimeField()),
            ],
        ),
    ]
