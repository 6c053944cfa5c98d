"""Environment variables and scopes: the documents and the code name the same ones."""

import ast
import re
from functools import cache
from pathlib import Path

from console.teams.roles import SCOPES

ROOT = Path(__file__).resolve().parent.parent
READERS = {
    "env_str",
    "env_bool",
    "env_choice",
    "env_int",
    "env_list",
    "env_networks",
    "env_sender",
    "env_commands",
    "env_secret",
    "env_url",
}


@cache
def variables_read() -> dict[str, str]:
    """Return each variable with the function of console.core.env that reads it, wherever it is called."""
    found: dict[str, str] = {}
    for folder in ("console", "prompts_app", "usage_app", "agents_app"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            for node in ast.walk(ast.parse(text)) if "env_" in text else ():
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS:
                    name = node.args[0]
                    if isinstance(name, ast.Constant):
                        found[name.value] = node.func.id
    return found


def variables_documented() -> dict[str, str]:
    lines = (ROOT / "docs/configuration.md").read_text().splitlines()
    rows = [re.match(r"\| `([A-Z0-9_]+)` \| (.+) \| (.+) \|$", line) for line in lines]
    names = [row[1] for row in rows if row]
    assert len(names) == len(set(names)), "a variable has two lines"
    return {row[1]: row[3] for row in rows if row}


def test_it_documents_every_variable_and_no_other() -> None:
    assert set(variables_documented()) == set(variables_read())


def test_it_marks_what_may_come_from_a_file() -> None:
    secrets = {name for name, reader in variables_read().items() if reader == "env_secret"}
    assert secrets == {name for name, text in variables_documented().items() if text.startswith("*Secret.*")}


def test_it_reads_the_environment_in_one_place() -> None:
    """Nothing but env.py, the embedded parts and commands looks at os.environ, so the page above is complete."""
    allowed = {"console/core/env.py", "console/pages/management/commands/apply.py"}
    for folder in ("console", "prompts_app", "usage_app", "agents_app"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name in allowed or name.startswith("console/embedded/"):
                continue
            text = path.read_text()
            for told in ('"DJANGO_SETTINGS_MODULE", "console.settings"', '"CELERY_SKIP_CHECKS", "1"'):
                text = text.replace(f"os.environ.setdefault({told})", "")  # what a library is told by its own name
            assert "os.environ" not in text, name
            assert "getenv" not in text, name


def test_every_scope_of_a_key_is_documented() -> None:
    text = (ROOT / "docs" / "management-api.md").read_text()
    assert re.findall(r"^\| `([a-z]+:[a-z]+)` \|", text, re.MULTILINE) == list(SCOPES)
