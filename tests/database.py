"""The tests' databases: one migrated template, and a copy of it for every test process.

Migrating takes seconds and copying a tenth of one. A test that commits is undone by putting every table back to what
the template has, on the same database, so that other connections (pools, a live server) stay whole.
"""

import fcntl
import hashlib
import io
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg import sql

from console.core.ids import uuid7
from tests import server

Made = TypeVar("Made")
ROOT = Path(__file__).resolve().parent.parent
_KEPT_TEMPLATES = 3

# What the migrations left in the tables is kept beside them, in a schema no model looks into, with the function that
# brings it back. That one names each table, so that a connection plans its questions once, and not with each test. Only
# what holds something is touched, and what migrations filled only if it changed: rows written anew leave dead ones
# behind.
_SEED = """
CREATE SCHEMA facet_seed;
DO $$
DECLARE it record; has_rows boolean; steps text = '';
BEGIN
    FOR it IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
              AND relkind = 'r' AND relname NOT IN ('django_migrations', 'audit_epoch') ORDER BY relname LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', it.relname) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('CREATE TABLE facet_seed.%1$I AS TABLE public.%1$I', it.relname);
            steps = steps || format(
                'IF EXISTS ((TABLE public.%1$I EXCEPT ALL TABLE facet_seed.%1$I)'
                '           UNION ALL (TABLE facet_seed.%1$I EXCEPT ALL TABLE public.%1$I)) THEN'
                '   DELETE FROM ONLY public.%1$I; INSERT INTO public.%1$I SELECT * FROM facet_seed.%1$I;'
                'END IF;', it.relname);
        ELSE
            steps = steps || format(
                'IF EXISTS (SELECT FROM ONLY public.%1$I) THEN DELETE FROM ONLY public.%1$I; END IF;', it.relname);
        END IF;
    END LOOP;
    -- An epoch no process has seen, so that snapshots of the tests before are stale.
    steps = steps || 'UPDATE public.audit_epoch SET value = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;';
    EXECUTE format('CREATE FUNCTION facet_seed.restore() RETURNS void LANGUAGE plpgsql AS %L',
                   'BEGIN ' || steps || ' END');
END $$
"""


def _fingerprint() -> str:
    """Return what the tables follow from: our migrations, and the versions of the packages that bring others."""
    digest = hashlib.sha256()
    for path in sorted(
        [
            *ROOT.glob("*/migrations/*.py"),
            *ROOT.glob("*/*/migrations/*.py"),
            *ROOT.glob("console/gateway/sql/*.sql"),
            ROOT / "console/core/operations.py",
            ROOT / "requirements/base.txt",
        ]
    ):
        if ".venv" not in path.parts:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(_SEED.encode())
    return digest.hexdigest()[:16]


@contextmanager
def _admin() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(os.environ["FACET_TEST_DATABASE_URL"], autocommit=True) as connection:
        yield connection


@contextmanager
def _locked(name: str) -> Iterator[None]:
    with (server.FOLDER / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _migrate(admin: psycopg.Connection[Any], name: str) -> None:
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()

    connection = connections["default"]
    usual = connection.settings_dict["NAME"]
    draft = f"{name}_draft"
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(draft)))
    admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
    connection.close()
    connection.close_pool()
    connection.settings_dict["NAME"] = draft
    try:
        call_command("migrate", verbosity=0, interactive=False)
        with connection.cursor() as cursor:
            cursor.execute(_SEED)
    finally:
        connection.close()
        connection.close_pool()
        connection.settings_dict["NAME"] = usual
    admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name)))
    admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    old = admin.execute(
        r"SELECT datname FROM pg_database WHERE datname ~ '^facet_template_[0-9a-f]{16}$' ORDER BY oid DESC OFFSET %s",
        [_KEPT_TEMPLATES],
    ).fetchall()
    for (gone,) in old:
        admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(gone)))


def claim(wanted: str) -> tuple[str, IO[str]]:
    """Return a database name no other run holds, with the lock that says so while it is open."""
    server.FOLDER.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        name = wanted if number == 1 else f"{wanted}_{number}"
        lock = (server.FOLDER / f"{name}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            number += 1
            continue
        return name, lock


def make_template() -> str:
    """Start our server unless it runs, and return the name of the migrated template, made if there is none yet."""
    if os.environ["FACET_TEST_DATABASE_URL"] == server.address():
        server.start()
    template = f"facet_template_{_fingerprint()}"
    with _locked("template.lock"), _admin() as admin:
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
            _migrate(admin, template)
    return template


def begin_template() -> None:
    """Have a process of its own start the server and make the template, while the tests are still being collected."""
    # Through a shell that ends at once. Whoever needs the template makes it if this failed, and tells why.
    command = ["/bin/sh", "-c", '"$@" >/dev/null 2>&1 &', "sh", sys.executable, "-m", "tests.database"]
    subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


def create(name: str) -> None:
    """Make the database `name` as a copy of the template."""
    template = make_template()
    with _locked("template.lock"), _admin() as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def drop(name: str) -> None:
    if _restoring.cache_info().currsize:
        _restoring(name).close()
        _restoring.cache_clear()
    with _admin() as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


_has_left_rows = False


def leave_rows() -> None:
    """Say that a test committed something: whoever needs the tables as they were restores them then, and only once."""
    global _has_left_rows
    _has_left_rows = True


def restore_if_left() -> None:
    """Restore after a test that committed something, unless that is done."""
    if _has_left_rows:
        restore()


def restore() -> None:
    """Put every table of the present test database back to what the migrations left.

    The epoch alone gets a value no process has seen: a gateway that still runs must find its snapshot stale.
    """
    global _has_left_rows
    from django.db import connections

    _has_left_rows = False
    _restoring(connections["default"].settings_dict["NAME"]).execute("SELECT facet_seed.restore()")


@cache
def _restoring(name: str) -> psycopg.Connection[Any]:
    """Return the connection on which this process restores its database.

    On a replica's no trigger and no foreign key is asked: the log can be emptied, and in any order. It has no other
    use, because to become one, and nobody again, makes PostgreSQL forget each time how it does what it is asked.
    """
    options = "-c session_replication_role=replica -c lock_timeout=10s"
    return psycopg.connect(os.environ["FACET_TEST_DATABASE_URL"], dbname=name, autocommit=True, options=options)


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Collect the statements that wrote something, as they were sent."""
    from django.db import connection

    writes: list[str] = []

    def keep(execute: Any, statement: str, values: Any, many: bool, context: dict[str, Any]) -> Any:
        if statement.split(None, 1)[0] not in {"INSERT", "UPDATE", "DELETE"}:
            return execute(statement, values, many, context)
        sent = context["cursor"].mogrify(statement, values)
        result = execute(statement, values, many, context)
        if context["cursor"].rowcount:
            writes.append(sent)
        return result

    with connection.execute_wrapper(keep):
        yield writes


def run(statements: str) -> None:
    """Send statements that were recorded, all at once."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statements)


# A UUIDv7 of these centuries, as PostgreSQL is told it (without dashes) or as people write it.
_ID = re.compile(
    r"(?<![0-9a-f])01[0-9a-f]{6}(?P<d>-?)[0-9a-f]{4}(?P=d)7[0-9a-f]{3}(?P=d)[89ab][0-9a-f]{3}(?P=d)[0-9a-f]{12}(?![0-9a-f])"
)
# What the ids of everything that was made once are now.
_present: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was made the first time, with the ids it had then."""

    statements: str
    made: bytes
    ids: list[str]
    said: Sequence[str]


# Gateways read again which prompts changed after the epoch they know.
_NEWLY_REVISED = "UPDATE prompts_prompt SET revision = (SELECT value FROM audit_epoch)"
_kept: dict[Hashable, _Kept] = {}


def once(name: Hashable, make: Callable[[], Made], *, said: Sequence[str] = ()) -> Made:
    """Have `make` write rows the first time in this process; from then on repeat what it wrote, and return a copy.

    For worlds that many tests begin with, made in a database with nothing in it that they could find. Each time they
    have other ids: a gateway goes on between tests, and remembers things about those it knows. A world may stand on
    others made this way. What it says that is another with each test, such as the path of a file, is `said`.
    """
    if name not in _kept:
        before = {now: first for first, now in _present.items()}
        with recorded() as writes:
            made = make()
        statements = ";".join(writes)
        ids = sorted({_plain(found) for found in _ID.finditer(statements)} - before.keys())
        _present.update({one: one for one in ids})
        _kept[name] = _Kept(_translated(statements, before), _dumped(made, before, said), ids, said)
        return made
    kept = _kept[name]
    _present.update({one: uuid7().hex for one in kept.ids})
    texts = dict(zip(kept.said, said, strict=True))
    run(f"{_translated(kept.statements, _present, texts)};{_NEWLY_REVISED}")
    return cast(Made, _Unpickler(io.BytesIO(kept.made), texts).load())


def _translated(text: str, ids: Mapping[str, str], texts: Mapping[str, str] | None = None) -> str:
    for first, present in (texts or {}).items():
        text = text.replace(first, present)
    return _ID.sub(lambda found: _as(found, ids.get(_plain(found), _plain(found))), text)


def _plain(found: re.Match[str]) -> str:
    return found[0].replace("-", "")


def _as(found: re.Match[str], plain: str) -> str:
    """Return an id as the one that was found is written."""
    return str(UUID(plain)) if found["d"] else plain


class _Pickler(pickle.Pickler):
    """Keeps ids apart, and texts that hold one, or what is said with each test."""

    def __init__(self, file: IO[bytes], ids: Mapping[str, str], said: Sequence[str]) -> None:
        super().__init__(file)
        self._ids, self._said = ids, said

    def persistent_id(self, one: Any) -> tuple[type, bytes] | None:
        if type(one) is UUID or type(one) is str and (_ID.search(one) or any(text in one for text in self._said)):
            return type(one), _translated(str(one), self._ids).encode()
        return None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], texts: Mapping[str, str]) -> None:
        super().__init__(file)
        self._texts = texts

    def persistent_load(self, kept: tuple[type, bytes]) -> Any:
        return kept[0](_translated(kept[1].decode(), _present, self._texts))


def _dumped(made: Any, ids: Mapping[str, str], said: Sequence[str]) -> bytes:
    _Pickler(into := io.BytesIO(), ids, said).dump(made)
    return into.getvalue()


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "console.settings"
    make_template()
