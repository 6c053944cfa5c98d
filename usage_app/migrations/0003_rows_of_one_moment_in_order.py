from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0002_quotas_of_agents_and_widgets"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="quotaincrease",
            options={"ordering": ["-starts_at", "-id"]},
        ),
    ]
