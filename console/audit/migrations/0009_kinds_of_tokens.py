"""Of which kinds the tokens of a call were, where some have a price of their own: written to a cache, for instance.

The line's text for the seal ends with it where it is there, so lines without are digested as they were. One that has it says
whose call it was before it, though that may be nobody's: each text is one line's only.
"""

from importlib import import_module

from django.db import migrations

before = import_module("console.audit.migrations.0007_whose_call_it_was")

COLUMN = """
SET lock_timeout = '10s';
ALTER TABLE audit_event ADD COLUMN IF NOT EXISTS token_kinds text NOT NULL DEFAULT '';
RESET lock_timeout;
"""

# One expression still, so that the planner takes it into the query.
DIGEST = f"""
CREATE OR REPLACE FUNCTION audit_digest_1(e audit_event) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(left(json_build_array({before._COLUMNS}
    )::text, -1) || CASE WHEN e.token_kinds <> '' THEN ', ' || to_json(e.end_user)::text || ', ' || to_json(e.token_kinds)::text
                         WHEN e.end_user <> '' THEN ', ' || to_json(e.end_user)::text ELSE '' END || ']', 'UTF8')) $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0008_checks_of_the_chain")]

    operations = [
        migrations.RunSQL(COLUMN, "ALTER TABLE audit_event DROP COLUMN token_kinds"),
        migrations.RunSQL(DIGEST, before.DIGEST),
    ]
