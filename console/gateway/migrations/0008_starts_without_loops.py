"""Begin a batch without looking at each of its calls where all of them are fresh, as nearly always."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("gateway", "0007_ends_and_their_flush_in_one_call")]
    operations = [
        # Backwards there is nothing to do: the files hold one state only, and those before install it too.
        migrations.RunSQL((SQL / "begin.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
