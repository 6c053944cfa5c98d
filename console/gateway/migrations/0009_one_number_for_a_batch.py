"""Ask for the transaction's number once for a batch of ends instead of once for each."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("gateway", "0008_starts_without_loops")]
    operations = [
        # Backwards there is nothing to do: the files hold one state only, and those before install it too.
        migrations.RunSQL((SQL / "events.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
