"""Keep an answer under the id of its record, which is not always that of the reservation it settles."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("gateway", "0003_statements_without_joins")]
    operations = [migrations.RunSQL((SQL / "close.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop)]
