"""SQL of the embedded parts: the rights of the application's role, and limits of the server.

Grants, locks and server settings have no expression in the ORM.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection  # noqa: TID251
from psycopg import sql

# Any number, the same for everybody: one migration at a time, however many processes start at once.
_MIGRATION_LOCK = 7_246_001

# The application adds to the log and reads it. It never changes a line, its content, the seals, the clock they
# rest on or how long they are kept, and it writes to partitions through their parents only.
_GRANTS = """
GRANT USAGE ON SCHEMA public TO {role};
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role};
DO $$
DECLARE
    it record;
BEGIN
    FOR it IN
        SELECT c.relname, c.relispartition FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    LOOP
        IF it.relispartition AND (it.relname LIKE 'audit\\_event%' OR it.relname LIKE 'audit\\_payload%') THEN
            EXECUTE format('GRANT SELECT ON %I TO {role}', it.relname);
        ELSIF it.relname IN ('audit_event', 'audit_payload', 'audit_seal') THEN
            EXECUTE format('GRANT SELECT, INSERT ON %I TO {role}', it.relname);
        ELSIF it.relname IN ('audit_clock', 'audit_dropped', 'audit_retention', 'django_migrations') THEN
            EXECUTE format('GRANT SELECT ON %I TO {role}', it.relname);
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO {role}', it.relname);
        END IF;
    END LOOP;
END $$;
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {role};
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON ROUTINES TO {role};
"""


def grant(role: str) -> None:
    """Give the application's role what it needs on every table there is, and nothing more.

    Later tables can be read at once and written after the migration that makes them has granted again; so a new
    partition of the log is never writable past its parent.
    """
    with connection.cursor() as cursor:
        quoted = connection.ops.quote_name(role)
        cursor.execute(_GRANTS.replace("{role}", quoted))


def has_rights(role: str) -> bool:
    """Return whether the application's role is there and was given its rights."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_table_privilege(oid, 'audit_event', 'INSERT') FROM pg_roles WHERE rolname = %s", [role]
        )
        row = cursor.fetchone()
        return bool(row and row[0])


def ensure_role(role: str, password: str) -> None:
    """Make the application's role when it is missing; without a password only the socket's trust lets it in."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone():
            return
        words = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(sql.Identifier(role))
        if password:
            words = sql.SQL("{} PASSWORD {}").format(words, sql.Literal(password))
        cursor.execute(words)


def _days_to_keep() -> tuple[int, int]:
    keep = settings.AUDIT_KEEP_DAYS
    return keep, min(keep, settings.AUDIT_CONTENT_KEEP_DAYS)


def keeps_log_as_set() -> bool:
    """Return whether the database was told how long the settings keep the log and its content."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_days, content_days FROM audit_retention ORDER BY set_at DESC LIMIT 1")
        return bool(cursor.fetchone() == _days_to_keep())


def tell_how_long_to_keep_log() -> None:
    """Have the database refuse to drop a month of the log earlier than the settings say, whoever asks.

    Takes the owner of the tables: what runs every day could otherwise drop all that is sealed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('audit_retention') IS NOT NULL")  # it is not while migrating to before it
        if cursor.fetchone()[0] and not keeps_log_as_set():
            cursor.execute("INSERT INTO audit_retention (event_days, content_days) VALUES (%s, %s)", _days_to_keep())


_COUNT_ON = """
UPDATE audit_clock SET tx_offset = greatest(
    (SELECT max(tx) FROM audit_event), (SELECT max(to_tx) FROM audit_seal),
    (SELECT max(next_tx) FROM usage_rollupstate), (SELECT max(next_tx) FROM prompts_promptusestate),
    (SELECT max(next_tx) FROM telemetry_traceexport))
WHERE EXISTS (SELECT FROM audit_event WHERE tx > audit_tx())
    OR EXISTS (SELECT FROM audit_seal WHERE to_tx > audit_tx())
    OR EXISTS (SELECT FROM usage_rollupstate WHERE next_tx > audit_tx())
    OR EXISTS (SELECT FROM prompts_promptusestate WHERE next_tx > audit_tx())
    OR EXISTS (SELECT FROM telemetry_traceexport WHERE next_tx > audit_tx())
"""


def count_on_after_restore() -> None:
    """Number transactions from above all that the log and its readers know.

    A database restored from a dump is on a server that counts from a lower number, whose calls they would pass over.
    Elsewhere none of them is ahead, which the index of `tx` says without reading the log.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regclass('telemetry_traceexport') IS NOT NULL AND to_regclass('audit_retention') IS NOT NULL"
        )
        if cursor.fetchone()[0]:
            cursor.execute(_COUNT_ON)


def owns_tables() -> bool:
    """Return whether the present role may change the log's past: it is a superuser or owns the log's table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('audit_event')"
            " AND pg_has_role(current_user, relowner, 'USAGE')) FROM pg_roles WHERE rolname = current_user"
        )
        return bool(cursor.fetchone()[0])


def connections_allowed() -> tuple[int, int]:
    """Return how many connections the server takes, and how many of them it keeps for superusers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int"
        )
        row = cursor.fetchone()
        return int(row[0]), int(row[1])


@contextmanager
def letting_go_of_tables() -> Iterator[None]:
    """Wait two seconds for a table somebody holds, and no longer: calls and pages queue up behind whoever waits."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the lock of migrations: processes that start together take their turn."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])
