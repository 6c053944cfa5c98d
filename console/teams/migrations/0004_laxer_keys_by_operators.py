"""Who may let a key be laxer than the installation is asked from now on; keys that are keep their word."""

from typing import Any

from django.db import migrations, models


def keep_words(apps: Any, schema_editor: Any) -> None:
    apps.get_model("teams", "ApiKey").objects.exclude(unknown_fields="").update(unknown_fields_by_operator=True)


class Migration(migrations.Migration):
    dependencies = [("teams", "0003_unknown_fields_of_keys")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="unknown_fields_by_operator",
            field=models.BooleanField(
                default=False, help_text="An operator gave it, so it may be laxer than the installation's setting."
            ),
        ),
        migrations.RunPython(keep_words, migrations.RunPython.noop),
    ]
