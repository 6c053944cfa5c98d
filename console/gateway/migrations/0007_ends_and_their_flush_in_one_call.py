"""End a batch and wait for the disk in one call of a procedure, instead of two statements in one message."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("gateway", "0006_ends_without_conflicts")]
    operations = [
        migrations.RunSQL((SQL / "close.sql").read_text(encoding="utf-8"), "DROP PROCEDURE IF EXISTS gateway_end"),
    ]
