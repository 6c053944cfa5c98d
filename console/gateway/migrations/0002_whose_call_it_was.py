"""Ends of calls say whose they were: a member of their records, so that no function's parameters change."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("gateway", "0001_initial"), ("audit", "0007_whose_call_it_was")]

    operations = [
        migrations.RunSQL((SQL / "events.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
