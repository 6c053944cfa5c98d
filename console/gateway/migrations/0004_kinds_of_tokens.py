"""Ends of calls say of which kinds their tokens were: a member of their records, so that no function's parameters change."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("gateway", "0003_limits_for_each_end_user"), ("audit", "0009_kinds_of_tokens")]

    operations = [
        migrations.RunSQL((SQL / "events.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
