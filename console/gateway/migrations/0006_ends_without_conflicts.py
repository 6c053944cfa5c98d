"""Insert the ends of calls without looking for conflicts: each is known to be the first before it is written."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = ("events.sql", "begin.sql", "close.sql")


class Migration(migrations.Migration):
    dependencies = [("gateway", "0005_batches_in_fewer_statements")]
    operations = [
        # Backwards there is nothing to do: the files hold one state only, and those before install it too.
        migrations.RunSQL(
            "\n".join((SQL / name).read_text(encoding="utf-8") for name in FILES), migrations.RunSQL.noop
        ),
    ]
