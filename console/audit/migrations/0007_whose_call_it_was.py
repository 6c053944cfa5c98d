"""Whose call it was: the caller's own name for its user stands on the line of a call.

The line's text for the seal ends with it where it is there, so lines without one are digested as they were: blocks of
before stay what they are, and a process of the version before, which asks the same function, seals and checks alike.

The index covers only lines that have one, and is made partition by partition without holding the gateway back, so this
migration is no transaction. Whoever runs it again after it was broken off goes on.
"""

from typing import Any

from django.db import migrations

COLUMN = """
SET lock_timeout = '10s';
ALTER TABLE audit_event ADD COLUMN IF NOT EXISTS end_user text NOT NULL DEFAULT '';
RESET lock_timeout;
"""

_COLUMNS = """
        e.id, e.tx, (extract(epoch FROM e.at) * 1000000)::bigint, (extract(epoch FROM e.closed_at) * 1000000)::bigint,
        e.type, e.action, e.status, e.http_status, e.code, e.reason, e.team_id, e.team,
        e.actor_kind, e.actor_id, e.actor, e.key_id, e.key, e.environment, e.lane, e.surface,
        e.route, e.client_address, e.client_request_id, e.alias, e.model, e.model_version_id, e.prompt, e.agent,
        e.stream, e.attempts, e.prompt_tokens, e.cached_tokens, e.completion_tokens, e.reasoning_tokens,
        e.cost_micros, e.usage_note, e.latency_us, e.first_token_us, e.overhead_us, e.epoch,
        encode(e.input_sha256, 'hex'), encode(e.output_sha256, 'hex'),
        e.target_type, e.target_id, e.target, e.detail"""

# One expression still, so that the planner takes it into the query.
DIGEST = f"""
CREATE OR REPLACE FUNCTION audit_digest_1(e audit_event) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(left(json_build_array({_COLUMNS}
    )::text, -1) || CASE WHEN e.end_user = '' THEN '' ELSE ', ' || to_json(e.end_user)::text END || ']', 'UTF8')) $$;
"""

DIGEST_BEFORE = f"""
CREATE OR REPLACE FUNCTION audit_digest_1(e audit_event) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(json_build_array({_COLUMNS}
    )::text, 'UTF8')) $$;
"""

# A partition that is made meanwhile takes the index of its parent along.
INDEX = "CREATE INDEX IF NOT EXISTS audit_event_end_user ON ONLY audit_event (end_user, id DESC) WHERE end_user <> ''"
PARTS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'audit_event'::regclass AND NOT EXISTS (
    SELECT FROM pg_index x JOIN pg_inherits of_x ON of_x.inhrelid = x.indexrelid
    WHERE x.indrelid = c.oid AND of_x.inhparent = 'audit_event_end_user'::regclass)
ORDER BY c.relname"""


def make_index(apps: Any, schema_editor: Any) -> None:
    """Index each partition while calls go on, and tell the table; its own index is whole with the last one."""
    schema_editor.execute(INDEX)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(PARTS)
        parts = [name for (name,) in cursor.fetchall()]
        for part in parts:
            index = f"{part}_end_user"
            cursor.execute(f'DROP INDEX IF EXISTS "{index}"')  # of a try that was broken off: it is no good
            cursor.execute(
                f'CREATE INDEX CONCURRENTLY "{index}" ON "{part}" (end_user, id DESC) WHERE end_user <> \'\''
            )
            cursor.execute(f'ALTER INDEX audit_event_end_user ATTACH PARTITION "{index}"')


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0006_ratings_of_answers")]

    operations = [
        migrations.RunSQL(COLUMN, "ALTER TABLE audit_event DROP COLUMN end_user"),
        migrations.RunSQL(DIGEST, DIGEST_BEFORE),
        migrations.RunPython(make_index, migrations.RunPython.noop),
    ]
