from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0004_queues_know_their_revision"),
    ]

    operations = [
        migrations.AddField(
            model_name="queueitem",
            name="put_for_id",
            field=models.UUIDField(help_text="Who answered for that key then, whoever it went to later.", null=True),
        ),
    ]
