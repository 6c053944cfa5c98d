"""Words are looked for in a collection's own passages: an index over everybody's would make each search pay for all."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0002_versions_never_change")]
    operations = [migrations.RemoveIndex(model_name="passage", name="passages_by_word")]
