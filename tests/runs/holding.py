"""Places where real processes can be held, so that whoever is killed dies between two exactly known writes.

1. A gate stands in the database: whoever is about to commit this change of a step or a run waits at it, and who dies
   there has committed nothing of it.
2. A hold is a hook of a package, as any may be installed: it stands after an intent is committed, and before anything
   is sent.
"""

import os
from pathlib import Path

import psycopg
from django.conf import settings

_GATES = """
CREATE FUNCTION stand_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'agents_run' THEN
        PERFORM pg_advisory_xact_lock_shared(1, hashtext(NEW.title || ': the run is ' || NEW.state));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(1, hashtext(
            (SELECT title FROM agents_run WHERE id = NEW.run_id)
            || ': the ' || NEW.kind || ' of turn ' || NEW.turn || ' is ' || NEW.state));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stand_at_gate AFTER INSERT OR UPDATE ON agents_step FOR EACH ROW EXECUTE FUNCTION stand_at_gate();
CREATE TRIGGER stand_at_gate AFTER UPDATE OF state ON agents_run FOR EACH ROW EXECUTE FUNCTION stand_at_gate();
"""

# Nobody installed it with pip; what pip would have written is all there.
_PACKAGE = {
    "facet_holds-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: facet-holds\nVersion: 1\n",
    "facet_holds-1.dist-info/entry_points.txt": "[facet.hooks]\nholds = facet_holds:Holds\n",
    "facet_holds.py": """
import pathlib
import time

from agents_app import hooks

hooks.SECONDS = 120.0  # it is held for longer than a hook may usually take
HELD = pathlib.Path(__file__).parent / "held"


def hold(what):
    held = HELD / what
    if held.exists():
        held.with_suffix(".here").touch()
    while held.exists():
        time.sleep(0.02)


class Holds:
    def before_model_call(self, call):
        hold("model " + next(said["content"] for said in call.body["messages"] if said["role"] == "user"))

    def before_tool_call(self, call):
        hold("tool " + str(call.arguments.get("what")))
""",
}


class Gates:
    """Gates are named by what is about to be true: `gates.close("late: the run is succeeded")`."""

    def __init__(self) -> None:
        database = settings.DATABASES["default"]
        self._connection = psycopg.connect(
            dbname=database["NAME"], user=database["USER"], host=database["HOST"], autocommit=True
        )
        self._connection.execute(_GATES)

    def close(self, gate: str) -> None:
        self._connection.execute("SELECT pg_advisory_lock(1, hashtext(%s))", [gate])

    def is_reached(self, gate: str) -> bool:
        """Say whether somebody stands there."""
        row = self._connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 1"
            " AND objid = hashtext(%s)::oid"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [gate],
        ).fetchone()
        return row is not None and row[0] > 0

    def open_all(self) -> None:
        self._connection.execute("SELECT pg_advisory_unlock_all()")

    def remove(self) -> None:
        self._connection.execute("SELECT pg_advisory_unlock_all(); DROP FUNCTION stand_at_gate() CASCADE")
        self._connection.close()


class Holds:
    """The package with the hook, in a folder. Places are named `model <word>` and `tool <word>`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._held = folder, folder / "held"
        self._held.mkdir()
        for name, text in _PACKAGE.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in order to load it."""
        root = Path(__file__).resolve().parents[2]
        return {"PLUGINS_ALLOWED": "facet-holds", "PYTHONPATH": os.pathsep.join([str(root), str(self._folder)])}

    def close(self, place: str) -> None:
        (self._held / place).touch()

    def is_reached(self, place: str) -> bool:
        return (self._held / f"{place}.here").exists()

    def open_all(self) -> None:
        for held in self._held.iterdir():
            held.unlink()
