"""The log's tables: partitioned by month on the id (a UUIDv7), append-only by trigger, filled by SQL."""

from django.db import migrations, models

import console.core.clock

EVENT = """
CREATE TABLE audit_event (
    id uuid NOT NULL,
    tx bigint NOT NULL DEFAULT audit_tx(),
    at timestamptz NOT NULL,
    closed_at timestamptz,
    type text NOT NULL,
    action text NOT NULL DEFAULT '',
    status text NOT NULL,
    http_status smallint,
    code text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    team_id uuid,
    team text NOT NULL DEFAULT '',
    actor_kind text NOT NULL DEFAULT '',
    actor_id uuid,
    actor text NOT NULL DEFAULT '',
    key_id uuid,
    key text NOT NULL DEFAULT '',
    environment text NOT NULL DEFAULT '',
    lane text NOT NULL DEFAULT '',
    surface text NOT NULL DEFAULT '',
    route text NOT NULL DEFAULT '',
    client_address text NOT NULL DEFAULT '',
    client_request_id text NOT NULL DEFAULT '',
    alias text NOT NULL DEFAULT '',
    model text NOT NULL DEFAULT '',
    model_version_id uuid,
    prompt text NOT NULL DEFAULT '',
    agent text NOT NULL DEFAULT '',
    stream boolean NOT NULL DEFAULT false,
    attempts smallint NOT NULL DEFAULT 0,
    prompt_tokens integer NOT NULL DEFAULT 0,
    cached_tokens integer NOT NULL DEFAULT 0,
    completion_tokens integer NOT NULL DEFAULT 0,
    reasoning_tokens integer NOT NULL DEFAULT 0,
    cost_micros bigint NOT NULL DEFAULT 0,
    usage_note text NOT NULL DEFAULT '',
    latency_us bigint,
    first_token_us bigint,
    overhead_us bigint,
    epoch bigint NOT NULL DEFAULT 0,
    input_sha256 bytea,
    output_sha256 bytea,
    target_type text NOT NULL DEFAULT '',
    target_id text NOT NULL DEFAULT '',
    target text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX audit_event_team ON audit_event (team_id, id DESC);
CREATE INDEX audit_event_key ON audit_event (key_id, id DESC) WHERE key_id IS NOT NULL;
CREATE INDEX audit_event_not_ok ON audit_event (status, id DESC) WHERE status <> 'ok';
CREATE INDEX audit_event_action ON audit_event (action, id DESC) WHERE action <> '';
CREATE INDEX audit_event_tx ON audit_event USING brin (tx) WITH (pages_per_range = 32);
CREATE TABLE audit_event_rest PARTITION OF audit_event DEFAULT;
"""

PAYLOAD = """
CREATE TABLE audit_payload (
    event_id uuid NOT NULL,
    kind text NOT NULL,
    body text NOT NULL,
    bytes integer NOT NULL,
    sha256 bytea,
    is_cut boolean NOT NULL DEFAULT false,
    redactions smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (event_id, kind)
) PARTITION BY RANGE (event_id);
-- lz4 costs a quarter of the CPU of the default; the embedded PostgreSQL is built without it.
DO $$ BEGIN
    ALTER TABLE audit_payload ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
CREATE TABLE audit_payload_rest PARTITION OF audit_payload DEFAULT;
"""

FUNCTIONS = """
-- Transaction numbers order rows by commit horizon. A restored cluster counts from a lower number, so the restore
-- raises the offset; see docs/audit-log.md.
CREATE TABLE audit_clock (id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1), tx_offset bigint NOT NULL DEFAULT 0);
INSERT INTO audit_clock VALUES (1, 0);
CREATE FUNCTION audit_tx() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT pg_current_xact_id()::text::bigint + (SELECT tx_offset FROM audit_clock) $$;
CREATE FUNCTION audit_horizon() RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (SELECT tx_offset FROM audit_clock) $$;

CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is append-only: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

-- The smallest UUIDv7 of a moment.
CREATE FUNCTION audit_id_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid $$;

-- Make the partitions of the month `moment` falls into. Runs with its owner's rights, so that the application may
-- make room without owning the log.
CREATE FUNCTION audit_make_month(moment timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    start timestamptz := date_trunc('month', moment, 'UTC');
    finish timestamptz := date_trunc('month', moment AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    suffix text := to_char(start AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
    IF to_regclass('audit_event_' || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_event FOR VALUES FROM (%L) TO (%L)',
                   'audit_event_' || suffix, audit_id_floor(start), audit_id_floor(finish));
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_payload FOR VALUES FROM (%L) TO (%L)',
                   'audit_payload_' || suffix, audit_id_floor(start), audit_id_floor(finish));
    RETURN true;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_payload_append_only BEFORE UPDATE OR DELETE ON audit_payload
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
SELECT audit_make_month(now() - interval '1 month'), audit_make_month(now()), audit_make_month(now() + interval '1 month');
"""

UNDO = """
DROP TABLE audit_payload; DROP TABLE audit_event;
DROP FUNCTION audit_make_month(timestamptz); DROP FUNCTION audit_id_floor(timestamptz);
DROP FUNCTION audit_refuse_change(); DROP FUNCTION audit_horizon(); DROP FUNCTION audit_tx(); DROP TABLE audit_clock;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Epoch",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("value", models.BigIntegerField(default=1)),
            ],
            options={"db_table": "audit_epoch"},
        ),
        migrations.RunSQL("INSERT INTO audit_epoch (id, value) VALUES (1, 1)", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("from_tx", models.BigIntegerField()),
                ("to_tx", models.BigIntegerField()),
                ("rows", models.IntegerField()),
                ("first_id", models.UUIDField(null=True)),
                ("last_id", models.UUIDField(null=True)),
                ("previous", models.BinaryField(max_length=32)),
                ("sha256", models.BinaryField(max_length=32)),
                ("sealed_at", models.DateTimeField(default=console.core.clock.now)),
            ],
            options={"db_table": "audit_seal", "ordering": ["-number"]},
        ),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(EVENT + PAYLOAD + TRIGGERS, UNDO),
    ]
