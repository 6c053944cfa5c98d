"""Queues name where their results may be sent; those that send some already name the sites they send to."""

from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import django.contrib.postgres.fields
from django.db import migrations, models

MOST = 20


def name_sites_in_use(apps: Any, schema_editor: Any) -> None:
    """Name the sites of the items there are, those asked for last first: nothing under way goes astray."""
    Queue, QueueItem = apps.get_model("agents", "Queue"), apps.get_model("agents", "QueueItem")
    sites: defaultdict[Any, list[str]] = defaultdict(list)
    asked = QueueItem.objects.exclude(callback_url="").order_by("-created_at").values_list("queue_id", "callback_url")
    for queue_id, url in asked.iterator():
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        if site not in sites[queue_id] and len(sites[queue_id]) < MOST:
            sites[queue_id].append(site)
    for queue_id, found in sites.items():
        Queue.objects.filter(pk=queue_id).update(callback_addresses=found)


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="queue",
            name="callback_addresses",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=300),
                blank=True,
                db_default=[],
                default=list,
                help_text="Where results may be sent: these addresses, and what is below them. None: nowhere.",
                size=None,
            ),
        ),
        migrations.RunPython(name_sites_in_use, migrations.RunPython.noop),
    ]
