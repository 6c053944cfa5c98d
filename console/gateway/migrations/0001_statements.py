"""Install the gateway's statements. They are replaced whole: a later change runs the same files again."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = ("events.sql", "counters.sql", "begin.sql", "close.sql", "sweep.sql")

UNDO = """
DROP FUNCTION gateway_sweep; DROP FUNCTION gateway_close; DROP FUNCTION gateway_begin; DROP FUNCTION gateway_insert_events;
DROP FUNCTION gateway_counters;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_log"), ("usage", "0001_quotas_and_usage")]
    operations = [
        migrations.RunSQL("\n".join((SQL / name).read_text(encoding="utf-8") for name in FILES), UNDO),
    ]
