"""The states of a database that this version can upgrade from.

The first migrations of the rooms stand for all that led up to them, so a database has either all of those or none.
"""

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

# The last version that has each of those steps.
_THROUGH = "4fc4a82"


def why_not_from_here() -> str:
    """Return what to do with a database that stopped between two such steps; empty when it did not."""
    connection = connections[DEFAULT_DB_ALIAS]
    applied = MigrationRecorder(connection).applied_migrations().keys()
    loader = MigrationLoader(connection, load=False)  # its graph cannot be made of what is half there
    loader.load_disk()
    for migration in loader.disk_migrations.values():
        there = applied & set(migration.replaces)
        if there and len(there) < len(migration.replaces):
            step = max(name for _, name in there)
            return (
                f"The tables are of an older version ({migration.app_label} {step}), and this one no longer knows the "
                f"steps from there. Nothing was changed. Upgrade to {_THROUGH} first (`git checkout {_THROUGH}`, then "
                "`make run` or `manage.py migrate`), and from there to this version."
            )
    return ""


def what_is_newer() -> str:
    """Return what to say where the tables have steps this version does not know; empty where it knows all."""
    connection = connections[DEFAULT_DB_ALIAS]
    loader = MigrationLoader(connection, load=False)
    loader.load_disk()
    apps = {migration.app_label for migration in loader.disk_migrations.values()}
    known = loader.disk_migrations.keys() | {
        step for migration in loader.disk_migrations.values() for step in migration.replaces
    }
    applied = MigrationRecorder(connection).applied_migrations().keys()
    unknown = sorted(step for step in applied - known if step[0] in apps)
    if not unknown:
        return ""
    label, name = unknown[-1]
    return (
        f"The tables are of a newer version ({len(unknown)} steps this one does not know, such as {label} {name}). "
        "They stay as they are, and this version works on them, but passes over what only the newer one knows "
        "(docs/running.md, Going back)."
    )
