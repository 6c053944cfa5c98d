"""Check at start that settings and database server fit together, rather than under load."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, OperationalError, ProgrammingError, connections
from django.db.migrations.exceptions import NodeNotFoundError
from django.db.migrations.loader import MigrationLoader
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable

from console.embedded import defaults, sql

# Connections for a person with psql, a migration, a backup.
_RESERVE = 10
_SOCKET = ".s.PGSQL.5432"
# What a process may hold outside the pool: the gateway's begin, three for close, keep, and a health check's own.
GATEWAY_CONNECTIONS = 6


def connections_wanted() -> int:
    """Return how many connections all processes may open at once, by the settings."""
    options: dict[str, Any] = connections[DEFAULT_DB_ALIAS].settings_dict["OPTIONS"]
    pool = options.get("pool") or {}
    per_process = int(pool.get("max_size", settings.WORKER_THREADS)) + GATEWAY_CONNECTIONS
    return int(settings.DATABASE_PROCESSES) * per_process


def why_no_database(error: OperationalError) -> str:
    """Return why PostgreSQL cannot be reached, and what to do if it is this DATA_DIR's own; empty when it was."""
    if not settings.HAS_EMBEDDED_POSTGRES or (defaults.socket_folder(settings.DATA_DIR) / _SOCKET).exists():
        met = error.__cause__
        if not isinstance(met, psycopg.OperationalError) or met.sqlstate:
            return ""
        return f"PostgreSQL cannot be reached: {str(error).strip().splitlines()[0]}"
    return (
        f"No console runs in {settings.DATA_DIR}, or it has only just begun to start. Start one with `make run`; "
        "if it was given a DATA_DIR and PORT, give this command the same ones."
    )


def why_not_set_up(error: ProgrammingError) -> str:
    """Return what to do while tables are missing or not yet open to the application; empty when that is not it."""
    said = str(error).partition("\n")[0]
    if isinstance(error.__cause__, UndefinedTable | UndefinedColumn):
        is_early = _has_unapplied_migrations()
    else:  # rights are given after the last migration
        is_early = isinstance(error.__cause__, InsufficientPrivilege) and said.startswith("permission denied for ")
    if not is_early:
        return ""
    return (
        f"The console is still being set up ({said}). Wait until {settings.BASE_URL}/health/ready answers 200; "
        "where no console is starting, run `manage.py migrate`."
    )


def _has_unapplied_migrations() -> bool:
    try:
        loader = MigrationLoader(connections[DEFAULT_DB_ALIAS])
    except (DatabaseError, NodeNotFoundError):
        return True
    return any(leaf not in loader.applied_migrations for leaf in loader.graph.leaf_nodes())


@register(Tags.database)
def pools_fit(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The pools of all processes fit what the server takes, with some left for people."""
    if DEFAULT_DB_ALIAS not in (databases or []):
        return []
    try:
        most, reserved = sql.connections_allowed()
    except DatabaseError as error:
        return [Warning(f"PostgreSQL does not answer: {error}", id="embedded.W001")]
    wanted, free = connections_wanted(), most - reserved - _RESERVE
    if wanted <= free:
        return []
    return [
        Error(
            f"The processes may open {wanted} connections together; PostgreSQL takes {most}, and {reserved + _RESERVE} "
            "of them are kept for people and maintenance.",
            hint="Lower DATABASE_POOL or DATABASE_PROCESSES, raise max_connections, or put a pooler in between.",
            id="embedded.E001",
        )
    ]


@register(Tags.database)
def application_is_not_the_owner(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """In production the role of every day cannot change the log's past."""
    if DEFAULT_DB_ALIAS not in (databases or []) or not settings.IS_PRODUCTION:
        return []
    if settings.DATABASE_OWNER_URL not in {"", settings.DATABASE_URL}:
        return []  # here runs a migration, as the owner
    try:
        is_owner = sql.owns_tables()
    except DatabaseError:
        return []  # said above
    if not is_owner:
        return []
    return [
        Warning(
            "DATABASE_URL's role owns the tables, so the audit log's protection rests on triggers alone.",
            hint="Run the application as a role of its own and name the owner in DATABASE_OWNER_URL.",
            id="embedded.W002",
        )
    ]
