"""The log: partitioned by month on the id (a UUIDv7), append-only by trigger, filled by SQL, sealed block by block."""

from django.db import migrations, models

import console.core.clock
import console.core.ids
from console.core.operations import CreateModels

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
-- Which index serves which filter of the audit page; each costs the gateway one insertion, so there are few.
--   team, key, alias: equality and newest first. person: calls by keys are left out, they are found by their key.
--   not_ok: status other than ok. changes: everything that has an action, small beside the calls.
CREATE INDEX audit_event_team ON audit_event (team_id, id DESC);
CREATE INDEX audit_event_key ON audit_event (key_id, id DESC) WHERE key_id IS NOT NULL;
CREATE INDEX audit_event_not_ok ON audit_event (status, id DESC) WHERE status <> 'ok';
CREATE INDEX audit_event_changes ON audit_event (id DESC) WHERE action <> '';
CREATE INDEX audit_event_alias ON audit_event (alias, id DESC) WHERE alias <> '';
CREATE INDEX audit_event_person ON audit_event (actor_id, id DESC) WHERE actor_kind = 'user';
-- Summarised at once: until the next vacuum each read by tx would pass through all of the newest pages.
CREATE INDEX audit_event_tx ON audit_event USING brin (tx) WITH (pages_per_range = 32, autosummarize = on);
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
"""

TRIGGERS = """
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_payload_append_only BEFORE UPDATE OR DELETE ON audit_payload
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
-- Partitions inherit the triggers of rows only.
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_event EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_event_rest EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_payload EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_payload_rest EXECUTE FUNCTION audit_refuse_change();
"""

# The canonical text of a row, format 1: a JSON array of every column in the order of the table, as Python's
# json.dumps(values, ensure_ascii=False) writes it; times are microseconds since 1970, ids and digests text.
# A later column belongs to a later format; blocks say which one they were sealed with. One expression and STABLE, so
# that the planner takes it into the query: fifty times quicker than a function call per column.
DIGEST = """
CREATE FUNCTION audit_digest_1(e audit_event) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(json_build_array(
        e.id, e.tx, (extract(epoch FROM e.at) * 1000000)::bigint, (extract(epoch FROM e.closed_at) * 1000000)::bigint,
        e.type, e.action, e.status, e.http_status, e.code, e.reason, e.team_id, e.team,
        e.actor_kind, e.actor_id, e.actor, e.key_id, e.key, e.environment, e.lane, e.surface,
        e.route, e.client_address, e.client_request_id, e.alias, e.model, e.model_version_id, e.prompt, e.agent,
        e.stream, e.attempts, e.prompt_tokens, e.cached_tokens, e.completion_tokens, e.reasoning_tokens,
        e.cost_micros, e.usage_note, e.latency_us, e.first_token_us, e.overhead_us, e.epoch,
        encode(e.input_sha256, 'hex'), encode(e.output_sha256, 'hex'),
        e.target_type, e.target_id, e.target, e.detail
    )::text, 'UTF8')) $$;

-- The hash of a block: the previous block's, what the block says it covers, and its rows' digests one after another.
CREATE FUNCTION audit_block_hash(previous bytea, number bigint, from_tx bigint, to_tx bigint, amount bigint, digests bytea)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(previous || convert_to(format('%s:%s:%s:%s:', number, from_tx, to_tx, amount), 'UTF8') || digests) $$;
"""

# A new month is built aside and attached, which lets the gateway go on inserting; rows that fell into the default
# partition meanwhile move with it. A lock that does not come within a second is tried again on the next round.
MONTHS = """
-- Make the partitions of the month `moment` falls into. Runs with its owner's rights, so that the application may make
-- room without owning the log.
CREATE FUNCTION audit_make_month(moment timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    start timestamptz := date_trunc('month', moment, 'UTC');
    finish timestamptz := (date_trunc('month', moment AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    suffix text := to_char(start AT TIME ZONE 'UTC', 'YYYY_MM');
    parent text;
    part text;
    id_column text;
    has_strays boolean;
BEGIN
    IF to_regclass('audit_event_' || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(7205759403792793600);
    IF to_regclass('audit_event_' || suffix) IS NOT NULL THEN
        RETURN false;
    END IF;
    FOREACH parent IN ARRAY ARRAY['audit_event', 'audit_payload'] LOOP
        part := parent || '_' || suffix;
        id_column := CASE parent WHEN 'audit_event' THEN 'id' ELSE 'event_id' END;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', part);
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE %I >= %L AND %I < %L)', parent || '_rest', id_column,
                       audit_id_floor(start), id_column, audit_id_floor(finish)) INTO has_strays;
        IF has_strays THEN
            EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_rest');
            EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', parent || '_rest');
            EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) '
                           'INSERT INTO %I SELECT * FROM moved', parent || '_rest', id_column, audit_id_floor(start),
                           id_column, audit_id_floor(finish), part);
            EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', parent || '_rest');
        END IF;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
                       audit_id_floor(start), audit_id_floor(finish));
        EXECUTE format('CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON %I EXECUTE FUNCTION audit_refuse_change()',
                       part);
    END LOOP;
    RETURN true;
END $$;

-- What retention took away. Written by audit_drop_month only, so that a block whose rows are gone can be told from a
-- block whose rows were deleted.
CREATE TABLE audit_dropped (
    part text PRIMARY KEY,
    until_id uuid NOT NULL,
    max_tx bigint NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT now()
);

-- Drop one whole month of `parent` (audit_event or audit_payload). Runs with its owner's rights, because the
-- application may not delete from the log; so it refuses by itself what is young, unsealed, or in front of an older
-- month of events. `read_to` is how far readers of the log have come. Returns why not, or an empty text.
CREATE FUNCTION audit_drop_month(parent text, month date, keep_days integer, read_to bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    start timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
    finish timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    suffix text := to_char(month, 'YYYY_MM');
    part text := parent || '_' || suffix;
    newest_tx bigint := 0;
BEGIN
    IF parent NOT IN ('audit_event', 'audit_payload') THEN
        RAISE EXCEPTION 'There is no retention for %.', parent;
    END IF;
    IF to_regclass(part) IS NULL THEN
        RETURN 'there is no such month';
    END IF;
    IF keep_days < 1 OR finish > now() - make_interval(days => keep_days) THEN
        RETURN 'it is not old enough';
    END IF;
    IF parent = 'audit_event' THEN
        EXECUTE format('SELECT coalesce(max(tx), 0) FROM %I', part) INTO newest_tx;
        IF newest_tx >= (SELECT coalesce(max(to_tx), 0) FROM audit_seal) AND newest_tx > 0 THEN
            RETURN 'it is not sealed yet';
        END IF;
        IF newest_tx >= read_to THEN
            RETURN 'the roll-ups have not read it yet';
        END IF;
        -- Content never outlives its record.
        EXECUTE format('DROP TABLE IF EXISTS %I', 'audit_payload_' || suffix);
    END IF;
    EXECUTE format('DROP TABLE %I', part);
    INSERT INTO audit_dropped (part, until_id, max_tx) VALUES (part, audit_id_floor(finish), newest_tx)
        ON CONFLICT ON CONSTRAINT audit_dropped_pkey DO UPDATE SET dropped_at = now();
    RETURN '';
END $$;
"""

# The last month, this one and two ahead.
FIRST_MONTHS = "SELECT audit_make_month(now() + make_interval(months => n)) FROM generate_series(-1, 2) AS n"

FIRST_ROWS = """
INSERT INTO audit_epoch (id, value) VALUES (1, 1);
INSERT INTO audit_seal_state (id, window_number, problem) VALUES (1, 0, '');
"""

UNDO = """
DROP FUNCTION audit_drop_month(text, date, integer, bigint); DROP TABLE audit_dropped;
DROP FUNCTION audit_block_hash(bytea, bigint, bigint, bigint, bigint, bytea); DROP FUNCTION audit_digest_1(audit_event);
DROP TABLE audit_payload; DROP TABLE audit_event; DROP TRIGGER audit_seal_append_only ON audit_seal;
DROP FUNCTION audit_make_month(timestamptz); DROP FUNCTION audit_id_floor(timestamptz);
DROP FUNCTION audit_refuse_change(); DROP FUNCTION audit_horizon(); DROP FUNCTION audit_tx(); DROP TABLE audit_clock;
"""


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("audit", "0001_log"),
        ("audit", "0002_state_of_the_log"),
        ("audit", "0003_seal_and_retention"),
        ("audit", "0004_find_a_seal"),
    ]

    dependencies = []

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name="Epoch",
                    fields=[
                        ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("value", models.BigIntegerField(default=1)),
                    ],
                    options={
                        "db_table": "audit_epoch",
                    },
                ),
                migrations.CreateModel(
                    name="AuditEvent",
                    fields=[
                        ("id", models.UUIDField(default=console.core.ids.uuid7, primary_key=True, serialize=False)),
                        ("tx", models.BigIntegerField(editable=False)),
                        ("at", models.DateTimeField()),
                        ("closed_at", models.DateTimeField(null=True)),
                        (
                            "type",
                            models.TextField(
                                choices=[
                                    ("chat", "Chat"),
                                    ("completion", "Completion"),
                                    ("embedding", "Embedding"),
                                    ("response", "Response"),
                                    ("message", "Message"),
                                    ("playground", "Playground"),
                                    ("evaluation", "Evaluation"),
                                    ("shadow", "Shadow copy"),
                                    ("agent", "Agent"),
                                    ("tool", "Tool"),
                                    ("question", "Question about a run"),
                                    ("models", "Models"),
                                    ("files", "Files"),
                                    ("batches", "Batches"),
                                    ("admin", "Administration"),
                                    ("access", "Sign-in and reading"),
                                ]
                            ),
                        ),
                        (
                            "action",
                            models.TextField(
                                default="", help_text="`noun.verb` of console/audit/actions.py; empty for calls."
                            ),
                        ),
                        (
                            "status",
                            models.TextField(
                                choices=[
                                    ("ok", "OK"),
                                    ("error", "Error"),
                                    ("refused", "Refused"),
                                    ("client_disconnected", "Client left"),
                                    ("interrupted", "Interrupted"),
                                ]
                            ),
                        ),
                        ("http_status", models.SmallIntegerField(null=True)),
                        ("code", models.TextField(default="", help_text="The stable code of a refusal or failure.")),
                        (
                            "reason",
                            models.TextField(
                                default="", help_text="What the caller was not told, for example why a key was refused."
                            ),
                        ),
                        ("team_id", models.UUIDField(null=True)),
                        ("team", models.TextField(default="")),
                        ("actor_kind", models.TextField(default="", help_text="user, key, visitor, run or system")),
                        ("actor_id", models.UUIDField(null=True)),
                        ("actor", models.TextField(default="")),
                        ("key_id", models.UUIDField(null=True)),
                        ("key", models.TextField(default="", help_text="The key as people see it: fk_live_…7f2c")),
                        ("environment", models.TextField(default="")),
                        ("lane", models.TextField(default="")),
                        (
                            "surface",
                            models.TextField(
                                default="", help_text="api, chat, widget, playground, batch, agent or console"
                            ),
                        ),
                        ("route", models.TextField(default="")),
                        ("client_address", models.TextField(default="")),
                        ("client_request_id", models.TextField(default="")),
                        ("alias", models.TextField(default="", help_text="What was asked for.")),
                        ("model", models.TextField(default="", help_text="provider/name of what served.")),
                        ("model_version_id", models.UUIDField(null=True)),
                        ("prompt", models.TextField(default="", help_text="Prompt refs that took part, as JSON.")),
                        ("agent", models.TextField(default="")),
                        ("stream", models.BooleanField(default=False)),
                        ("attempts", models.SmallIntegerField(default=0)),
                        ("prompt_tokens", models.IntegerField(default=0)),
                        ("cached_tokens", models.IntegerField(default=0)),
                        ("completion_tokens", models.IntegerField(default=0)),
                        ("reasoning_tokens", models.IntegerField(default=0)),
                        ("cost_micros", models.BigIntegerField(default=0)),
                        (
                            "usage_note",
                            models.TextField(
                                default="", help_text="estimated, or over_reservation; empty when as reported."
                            ),
                        ),
                        ("latency_us", models.BigIntegerField(null=True)),
                        ("first_token_us", models.BigIntegerField(null=True)),
                        ("overhead_us", models.BigIntegerField(null=True)),
                        ("epoch", models.BigIntegerField(default=0)),
                        (
                            "input_sha256",
                            models.BinaryField(
                                help_text="Of the stored body, so that the seal covers content.", null=True
                            ),
                        ),
                        ("output_sha256", models.BinaryField(null=True)),
                        ("target_type", models.TextField(default="")),
                        ("target_id", models.TextField(default="")),
                        ("target", models.TextField(default="")),
                        ("detail", models.TextField(default="", help_text="Before and after of a change, as JSON.")),
                    ],
                    options={
                        "db_table": "audit_event",
                        "ordering": ["-id"],
                        "managed": False,
                    },
                ),
                migrations.CreateModel(
                    name="Payload",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "event_id", "kind", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("event_id", models.UUIDField()),
                        ("kind", models.TextField(choices=[("input", "Input"), ("output", "Output")])),
                        ("body", models.TextField()),
                        ("bytes", models.IntegerField()),
                        ("sha256", models.BinaryField(null=True)),
                        ("is_cut", models.BooleanField(default=False)),
                        ("redactions", models.SmallIntegerField(default=0)),
                    ],
                    options={
                        "db_table": "audit_payload",
                        "managed": False,
                    },
                ),
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
                        ("format", models.SmallIntegerField(default=1)),
                    ],
                    options={
                        "db_table": "audit_seal",
                        "ordering": ["-number"],
                        "indexes": [models.Index(fields=["from_tx"], name="seal_by_tx")],
                    },
                ),
                migrations.CreateModel(
                    name="SealState",
                    fields=[
                        ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                        ("sealed_at", models.DateTimeField(null=True)),
                        ("verified_at", models.DateTimeField(null=True)),
                        ("window_number", models.BigIntegerField(default=0)),
                        ("whole_at", models.DateTimeField(null=True)),
                        ("problem", models.TextField(blank=True, default="")),
                        ("problem_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "db_table": "audit_seal_state",
                    },
                ),
            ],
        ),
        migrations.RunSQL(FIRST_ROWS, migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTIONS + EVENT + PAYLOAD + DIGEST + MONTHS + TRIGGERS, UNDO),
        migrations.RunSQL(FIRST_MONTHS, migrations.RunSQL.noop),
    ]
