"""What other databases of the server do holds nothing back: see docs/audit-log.md."""

from django.db import migrations

# The oldest transaction that runs. A snapshot names those of every database; the lock each one holds on its number says
# who it is, and that anybody may read. One whose lock is not there yet, or nobody's, as prepared ones are, counts.
HORIZON = """
CREATE OR REPLACE FUNCTION audit_horizon() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT least(
        pg_snapshot_xmax(now_running)::text::bigint,
        pg_current_xact_id_if_assigned()::text::bigint,
        (SELECT min(number) FROM (SELECT xid::text::bigint AS number FROM pg_snapshot_xip(now_running) AS xid) AS running
         WHERE number % 4294967296 NOT IN (
             SELECT transactionid::text::bigint FROM pg_locks JOIN pg_stat_activity USING (pid)
             WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted AND datname <> current_database()))
    ) + (SELECT tx_offset FROM audit_clock)
    FROM pg_current_snapshot() AS now_running
$$;
"""

BEFORE = """
CREATE OR REPLACE FUNCTION audit_horizon() RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (SELECT tx_offset FROM audit_clock) $$;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_first_seal_by_the_version_before")]

    operations = [migrations.RunSQL(HORIZON, BEFORE)]
