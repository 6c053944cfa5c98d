from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="pinmove",
            options={"ordering": ["-moved_at", "-id"]},
        ),
        migrations.AlterModelOptions(
            name="pinproposal",
            options={"ordering": ["-proposed_at", "-id"]},
        ),
        migrations.AlterModelOptions(
            name="providerincident",
            options={"ordering": ["-last_at", "-id"]},
        ),
    ]
