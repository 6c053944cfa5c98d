from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("chat", "0003_messages_without_their_writer")]

    operations = [
        migrations.AlterModelOptions(name="conversation", options={"ordering": ["-last_at", "-id"]}),
    ]
