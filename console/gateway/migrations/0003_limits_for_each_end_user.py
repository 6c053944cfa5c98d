"""Calls are counted by their end users too. Processes of the version before go on with the functions they know."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = ("end_user_counters.sql", "begin.sql", "close.sql", "sweep.sql")


class Migration(migrations.Migration):
    dependencies = [("gateway", "0002_whose_call_it_was"), ("usage", "0007_limits_for_each_end_user")]

    operations = [
        migrations.RunSQL(
            "\n".join((SQL / name).read_text(encoding="utf-8") for name in FILES), migrations.RunSQL.noop
        ),
    ]
