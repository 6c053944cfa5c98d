"""Who set a trigger up, kept with its runs: they do not decide what a grant leaves to others.

Of triggers and runs that are there already nobody knows; the audit log does.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("agents", "0011_queues_outside"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="set_up_by_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="trigger",
            name="set_up_by",
            field=models.ForeignKey(
                blank=True,
                help_text="Who last said what it starts and how, or answers for the key that did.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
