"""Install the gateway's statements. They are replaced whole: a later change runs the same files again.

What the files held before is in the history. Where parameters change, the later migration drops the old functions first,
by name: they would stay beside the new ones.
"""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"
FILES = ("events.sql", "counters.sql", "begin.sql", "close.sql", "sweep.sql")

# Whatever parameters they have: a database that was updated has those of the versions before beside them.
UNDO = """
DO $$ DECLARE routine regprocedure;
BEGIN
    FOR routine IN SELECT oid FROM pg_proc WHERE proname IN ('gateway_begin', 'gateway_close', 'gateway_counters',
        'gateway_end', 'gateway_end_user_counters', 'gateway_insert_events', 'gateway_sweep')
    LOOP EXECUTE 'DROP ROUTINE ' || routine; END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("gateway", "0001_statements"),
        ("gateway", "0002_attempts_of_a_call"),
        ("gateway", "0003_statements_without_joins"),
        ("gateway", "0004_outputs_by_record"),
        ("gateway", "0005_batches_in_fewer_statements"),
        ("gateway", "0006_ends_without_conflicts"),
        ("gateway", "0007_ends_and_their_flush_in_one_call"),
        ("gateway", "0008_starts_without_loops"),
        ("gateway", "0009_one_number_for_a_batch"),
    ]

    dependencies = [
        ("audit", "0001_initial"),
        ("usage", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL("\n".join((SQL / name).read_text(encoding="utf-8") for name in FILES), UNDO),
    ]
