"""The step between the data stores and the site: database, tables, initial content, then everything else.

1. Wait for PostgreSQL; make the embedded one's database and role.
2. Migrate when something is unapplied, and end the calls that were open when everything ended the last time. From here
   on the web process serves.
3. Make what a first start needs, and tell the built-in models' providers their addresses.
4. When the site answers, say where it is and start the models, the workers and beat.
"""

import http.client
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.checks import Tags
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from supervisor.childutils import getRPCInterface

from console.core.preload import loading
from console.embedded import history, model, ports, postgres, sql
from console.embedded.database_wait import until_reached
from console.embedded.defaults import APP_ROLE, DATABASE_NAME, socket_folder

PATIENCE_SECONDS = 120


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def prepared() -> Path:
    """Return the file that exists once the tables are there; the web process waits for it."""
    return socket_folder(settings.DATA_DIR) / "prepared"


def wait_for_database() -> None:
    """Wait until PostgreSQL takes connections, saying so when it is slow."""
    if settings.HAS_EMBEDDED_POSTGRES:
        sockets = socket_folder(settings.DATA_DIR)
        try:
            postgres.wait_until_ready(sockets, PATIENCE_SECONDS)
        except TimeoutError:
            raise SystemExit(
                f"PostgreSQL did not start within {PATIENCE_SECONDS} s; logs/postgres.log says why."
            ) from None
        postgres.ensure_database(sockets, database=DATABASE_NAME, application_role=APP_ROLE)
        return
    until_reached(PATIENCE_SECONDS, say)


def migrate() -> bool:
    """Bring the tables up to date, and return whether there was anything to do."""
    if why := history.why_not_from_here():
        raise SystemExit(why)
    if newer := history.what_is_newer():
        say(newer)
    executor = MigrationExecutor(connections["default"])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        say(f"Preparing the tables ({len(plan)} migrations).")
    # One that stands for older ones, all of them applied, is not in the plan, and still to be stored.
    # Nor are settings that only the owner of the tables may tell the database.
    is_written_down = executor.recorder.applied_migrations().keys() >= executor.loader.replacements.keys()
    if plan or not is_written_down or not sql.keeps_log_as_set():
        call_command("migrate", verbosity=0, interactive=False)
    # What asks the database alone. The other checks look at code, and would load every page and form for it.
    call_command("check", databases=["default"], tags=[Tags.database], stdout=io.StringIO())
    return bool(plan)


def first_content() -> dict[str, Any]:
    """Make what a first start needs, and return what quickstart says: address, sign-in link, keys."""
    said = io.StringIO()
    where: list[str] = []
    if settings.BUILTIN_MODEL:
        run = socket_folder(settings.DATA_DIR)
        where = ["--model-url", ports.base_url(run, "model"), "--model-context", str(model.CONTEXT_TOKENS)]
        where += ["--embeddings-url", ports.base_url(run, "embeddings")]
    call_command("quickstart", "--json", "--start", *where, stdout=said)
    result: dict[str, Any] = json.loads(said.getvalue())
    return result


def wait_for_site() -> bool:
    """Wait until the site answers; False when it does not within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(settings.BIND_ADDRESS, settings.PORT, timeout=5)
        try:
            connection.request("GET", "/health/live", headers={"Host": "localhost"})
            if connection.getresponse().status < 500:
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    return False


def banner(content: dict[str, Any]) -> str:
    bold, dim, plain = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if os.environ.get("FACET_TERMINAL") else ("", "", "")
    lines = [("Open", settings.BASE_URL)]
    if link := content.get("sign_in_url"):
        lines.append(("Sign in", f"{link}  {dim}(once, within 24 hours){plain}"))
    lines += [("Logs", str(settings.DATA_DIR / "logs")), ("Stop", "Ctrl-C")]
    rows = "\n".join(f"    {dim}{name:<9}{plain}{value}" for name, value in lines)
    return f"\n  {bold}{settings.INSTALLATION_NAME} is running.{plain}\n\n{rows}\n"


def start_the_rest() -> None:
    """Start the models, the workers and beat, which the first page does not need."""
    supervisor = getRPCInterface(os.environ).supervisor
    for process in supervisor.getAllProcessInfo():
        if process["statename"] == "STOPPED":
            supervisor.startProcess(f"{process['group']}:{process['name']}", False)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    with loading():
        django.setup()
    wait_for_database()
    has_migrated = migrate()
    if settings.HAS_EMBEDDED_POSTGRES:  # nobody else has this database, so whoever had a call open is gone
        call_command("sweepreservations", all=True, stdout=io.StringIO())
    prepared().touch()
    checkpoint = None
    if has_migrated and settings.HAS_EMBEDDED_POSTGRES:
        checkpoint = postgres.begin_checkpoint(socket_folder(settings.DATA_DIR))
    content = first_content()
    if not wait_for_site():
        raise SystemExit("The site does not answer; logs/web.log says why.")
    say(banner(content))
    start_the_rest()
    if checkpoint:
        checkpoint.wait()


if __name__ == "__main__":
    main()
