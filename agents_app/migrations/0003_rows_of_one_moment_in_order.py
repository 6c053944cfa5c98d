from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0002_where_results_may_be_sent"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="approval",
            options={"ordering": ["expires_at", "id"]},
        ),
        migrations.AlterModelOptions(
            name="firing",
            options={"ordering": ["-at", "-id"]},
        ),
    ]
