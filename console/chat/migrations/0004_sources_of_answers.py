from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0003_conversations_for_persons")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="sources",
            field=models.JSONField(blank=True, default=list, db_default=[]),
        ),
    ]
