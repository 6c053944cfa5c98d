"""Take the ends of calls as `json` with the ids of their records beside them, and all counters of a batch in one statement.

The old statements go: they share the names.
"""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = ("events.sql", "begin.sql", "close.sql", "sweep.sql")

DROP = """
DO $$ DECLARE f regprocedure; BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pg_function_is_visible(oid)
              AND proname IN ('gateway_insert_events', 'gateway_close') LOOP
        EXECUTE format('DROP FUNCTION %s', f);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0004_outputs_by_record")]
    operations = [
        # Backwards there is nothing to do: the files hold one state only, and those before install it too.
        migrations.RunSQL(
            DROP + "\n".join((SQL / name).read_text(encoding="utf-8") for name in FILES), migrations.RunSQL.noop
        ),
    ]
