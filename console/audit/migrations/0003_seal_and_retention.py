"""What keeps the log whole: row digests for the seal, and months that come and go."""

from django.db import migrations, models

# Which index serves which filter of the audit page; each costs the gateway one insertion, so there are few.
#   team, key, alias: equality and newest first. person: calls by keys are left out, they are found by their key.
#   not_ok: status other than ok. changes: everything that has an action, small beside the calls.
INDEXES = """
DROP INDEX audit_event_action;
CREATE INDEX audit_event_changes ON audit_event (id DESC) WHERE action <> '';
CREATE INDEX audit_event_alias ON audit_event (alias, id DESC) WHERE alias <> '';
CREATE INDEX audit_event_person ON audit_event (actor_id, id DESC) WHERE actor_kind = 'user';
-- Without it the newest pages are not summarised until the next vacuum, and each read by tx passes through them all.
DROP INDEX audit_event_tx;
CREATE INDEX audit_event_tx ON audit_event USING brin (tx) WITH (pages_per_range = 32, autosummarize = on);
"""

UNDO_INDEXES = """
DROP INDEX audit_event_changes; DROP INDEX audit_event_alias; DROP INDEX audit_event_person;
CREATE INDEX audit_event_action ON audit_event (action, id DESC) WHERE action <> '';
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

UNDO_DIGEST = """
DROP FUNCTION audit_block_hash(bytea, bigint, bigint, bigint, bigint, bytea); DROP FUNCTION audit_digest_1(audit_event);
"""

# A new month is built aside and attached, which lets the gateway go on inserting; rows that fell into the default
# partition meanwhile move with it. A lock that does not come within a second is tried again on the next round.
MONTHS = """
CREATE OR REPLACE FUNCTION audit_make_month(moment timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
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

UNDO_MONTHS = """
DROP FUNCTION audit_drop_month(text, date, integer, bigint); DROP TABLE audit_dropped;
"""

TRIGGERS = """
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_event EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_payload EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
DO $$ DECLARE part regclass; BEGIN
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits
        WHERE inhparent IN ('audit_event'::regclass, 'audit_payload'::regclass)
    LOOP
        EXECUTE format('CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON %s EXECUTE FUNCTION audit_refuse_change()', part);
    END LOOP;
END $$;
"""

UNDO_TRIGGERS = """
DROP TRIGGER audit_seal_append_only ON audit_seal;
DO $$ DECLARE part regclass; BEGIN
    FOR part IN SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'audit_no_truncate' LOOP
        EXECUTE format('DROP TRIGGER audit_no_truncate ON %s', part);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_state_of_the_log"),
    ]

    operations = [
        migrations.AddField("seal", "format", models.SmallIntegerField(default=1)),
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
            options={"db_table": "audit_seal_state"},
        ),
        migrations.RunSQL("INSERT INTO audit_seal_state (id, window_number, problem) VALUES (1, 0, '')", "SELECT 1"),
        migrations.RunSQL(INDEXES, UNDO_INDEXES),
        migrations.RunSQL(DIGEST, UNDO_DIGEST),
        migrations.RunSQL(MONTHS, UNDO_MONTHS),
        migrations.RunSQL(TRIGGERS, UNDO_TRIGGERS),
        migrations.RunSQL("SELECT audit_make_month(now() + interval '2 months')", "SELECT 1"),
    ]
