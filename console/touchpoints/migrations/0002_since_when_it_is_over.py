"""Since when a place that was elsewhere is migrated or retired, so that months can be compared."""

from typing import Any

from django.db import migrations, models
from django.db.models import F, Q


def note_the_last_change(apps: Any, schema_editor: Any) -> None:
    """Take the last change for it: nothing else is known of those that are over by now."""
    rows = apps.get_model("touchpoints", "LegacyTouchpoint").objects
    rows.filter(status__in=["migrated", "retired"]).update(over_at=F("changed_at"))


class Migration(migrations.Migration):
    dependencies = [("touchpoints", "0001_expectations_and_places_elsewhere")]

    operations = [
        migrations.AddField(
            model_name="legacytouchpoint",
            name="over_at",
            field=models.DateTimeField(blank=True, help_text="Since when it is migrated or retired.", null=True),
        ),
        migrations.RunPython(note_the_last_change, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="legacytouchpoint",
            constraint=models.CheckConstraint(
                condition=Q(over_at=None, status__in=["planned", "migrating"])
                | (~Q(status__in=["planned", "migrating"]) & Q(over_at__isnull=False)),
                name="over_since_it_is_over",
            ),
        ),
    ]
