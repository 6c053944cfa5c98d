"""What a call was for: its metadata stands on its line.

The line's text for the seal ends with it where it is there, after whose call it was and the kinds of its tokens, though
those may be empty; a line without it is digested as it was, so blocks of before stay what they are.

The index covers only lines that have it. It finds what is rare; what is frequent is found in the order of ids. Made
partition by partition without holding the gateway back, so this migration is no transaction. Whoever runs it again
after it was broken off goes on.
"""

from importlib import import_module
from typing import Any

from django.db import migrations

columns = import_module("console.audit.migrations.0007_whose_call_it_was")._COLUMNS
before = import_module("console.audit.migrations.0009_kinds_of_tokens")

COLUMN = """
SET lock_timeout = '10s';
ALTER TABLE audit_event ADD COLUMN IF NOT EXISTS metadata jsonb;
RESET lock_timeout;
"""

# One expression still, so that the planner takes it into the query. PostgreSQL writes an object as Python does.
_LATER = "', ' || to_json(e.end_user)::text || ', ' || to_json(e.token_kinds)::text"
DIGEST = f"""
CREATE OR REPLACE FUNCTION audit_digest_1(e audit_event) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(left(json_build_array({columns}
    )::text, -1) || CASE WHEN e.metadata IS NOT NULL THEN {_LATER} || ', ' || e.metadata::text
                         WHEN e.token_kinds <> '' THEN {_LATER}
                         WHEN e.end_user <> '' THEN ', ' || to_json(e.end_user)::text ELSE '' END || ']', 'UTF8')) $$;
"""

# A partition that is made meanwhile takes the index of its parent along.
# Of what waits to be sorted into it little is let wait: with PostgreSQL's 4 MB the call that finds it full sorts for a
# third of a second.
_HOW = "USING gin (metadata jsonb_path_ops) WITH (gin_pending_list_limit = 256) WHERE metadata IS NOT NULL"
INDEX = f"CREATE INDEX IF NOT EXISTS audit_event_metadata ON ONLY audit_event {_HOW}"
PARTS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'audit_event'::regclass AND NOT EXISTS (
    SELECT FROM pg_index x JOIN pg_inherits of_x ON of_x.inhrelid = x.indexrelid
    WHERE x.indrelid = c.oid AND of_x.inhparent = 'audit_event_metadata'::regclass)
ORDER BY c.relname"""


def make_index(apps: Any, schema_editor: Any) -> None:
    """Index each partition while calls go on, and tell the table; its own index is whole with the last one."""
    schema_editor.execute(INDEX)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(PARTS)
        parts = [name for (name,) in cursor.fetchall()]
        for part in parts:
            index = f"{part}_metadata"
            cursor.execute(f'DROP INDEX IF EXISTS "{index}"')  # of a try that was broken off: it is no good
            cursor.execute(f'CREATE INDEX CONCURRENTLY "{index}" ON "{part}" {_HOW}')
            cursor.execute(f'ALTER INDEX audit_event_metadata ATTACH PARTITION "{index}"')


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0009_kinds_of_tokens")]

    operations = [
        migrations.RunSQL(COLUMN, "ALTER TABLE audit_event DROP COLUMN metadata"),
        migrations.RunSQL(DIGEST, before.DIGEST),
        migrations.RunPython(make_index, migrations.RunPython.noop),
    ]
