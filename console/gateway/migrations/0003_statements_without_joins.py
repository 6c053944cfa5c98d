"""Replace the gateway's statements by ones that take their counters ready summed. The old ones go: they share the names."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = ("events.sql", "counters.sql", "begin.sql", "close.sql", "sweep.sql")

# By name, because their parameters differ from one state of the files to the next.
DROP = """
DO $$ DECLARE f regprocedure; BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pg_function_is_visible(oid)
              AND proname IN ('gateway_begin', 'gateway_close', 'gateway_sweep') LOOP
        EXECUTE format('DROP FUNCTION %s', f);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0002_attempts_of_a_call")]
    operations = [
        # Backwards there is nothing to do: the files hold one state only, and those before install it too.
        migrations.RunSQL(
            DROP + "\n".join((SQL / name).read_text(encoding="utf-8") for name in FILES), migrations.RunSQL.noop
        ),
    ]
