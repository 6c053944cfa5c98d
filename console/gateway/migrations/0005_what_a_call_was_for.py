"""Ends of calls say what they were for: a member of their records, so that no function's parameters change."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("gateway", "0004_kinds_of_tokens"), ("audit", "0010_what_a_call_was_for")]

    operations = [
        migrations.RunSQL((SQL / "events.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
