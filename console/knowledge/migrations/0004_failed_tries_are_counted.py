from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0003_searches_read_collections_whole")]
    operations = [
        migrations.AddField("collection", "failures", models.PositiveSmallIntegerField(default=0, editable=False))
    ]
