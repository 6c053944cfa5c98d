"""SQL of the health checks, on a connection of their own.

A pool whose connections are all taken says nothing about the database, and waiting for it would take longer than a
probe waits. `connections` knows the address; the ORM knows no deadline for connecting.
"""

import psycopg
from django.db import connections

_CONNECT_SECONDS = 2


def applied_migrations() -> set[tuple[str, str]]:
    """Return every applied migration as (app, name); raises psycopg.Error when the database does not answer."""
    parameters = connections["default"].get_connection_params()
    options = f"{parameters.get('options', '')} -c statement_timeout=2000".strip()
    parameters |= {"connect_timeout": _CONNECT_SECONDS, "options": options}  # whatever DATABASE_URL says of either
    with psycopg.connect(**parameters) as connection:
        return {(app, name) for app, name in connection.execute("SELECT app, name FROM django_migrations")}
