"""Have the database know how long the log is kept, instead of believing whoever asks it to drop a month."""

from importlib import import_module

from django.db import migrations

# The newest row counts; the older ones say what was kept when. Only the owner of the tables adds one, as `migrate`
# does with AUDIT_KEEP_DAYS and AUDIT_CONTENT_KEEP_DAYS.
TABLE = """
CREATE TABLE audit_retention (
    set_at timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
    event_days integer NOT NULL CHECK (event_days >= 1),
    content_days integer NOT NULL CHECK (content_days BETWEEN 1 AND event_days)
);
INSERT INTO audit_retention (event_days, content_days) VALUES (400, 90);
"""

# As it was, but for the third refusal: `keep_days` may ask for more than the owner decided, never for less.
DROP_MONTH = """
CREATE OR REPLACE FUNCTION audit_drop_month(parent text, month date, keep_days integer, read_to bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    finish timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    suffix text := to_char(month, 'YYYY_MM');
    part text := parent || '_' || suffix;
    newest_tx bigint := 0;
    least_days integer;
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
    SELECT CASE parent WHEN 'audit_event' THEN event_days ELSE content_days END INTO STRICT least_days
        FROM audit_retention ORDER BY set_at DESC LIMIT 1;
    IF finish > now() - make_interval(days => least_days) THEN
        RETURN format('the database keeps it for %s days; run migrate, which tells it what the settings say', least_days);
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


def _drop_month_before() -> str:
    text: str = import_module("console.audit.migrations.0001_initial").MONTHS
    return "CREATE OR REPLACE " + text[text.index("FUNCTION audit_drop_month") :]


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_blocks_copied_to_an_archive")]

    operations = [
        migrations.RunSQL(TABLE, "DROP TABLE audit_retention"),
        migrations.RunSQL(DROP_MONTH, _drop_month_before()),
    ]
