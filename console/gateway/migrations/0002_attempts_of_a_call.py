"""Let an attempt be recorded while its call goes on at another version: the statements, installed again."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = ("events.sql", "close.sql")


class Migration(migrations.Migration):
    dependencies = [("gateway", "0001_statements")]
    # What the files held before is in the history; the newer statements serve older code as well.
    operations = [
        migrations.RunSQL(
            "\n".join((SQL / name).read_text(encoding="utf-8") for name in FILES), migrations.RunSQL.noop
        ),
    ]
