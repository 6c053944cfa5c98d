"""Tests keep away from what the shell they are run in is set up for."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.test_settings_documented import variables_documented

ROOT = Path(__file__).parents[1]

# What tests set themselves, and the one setting that is for them.
SET = {"DATABASE_URL", "DATABASE_POOL", "STATEMENT_TIMEOUT_MS", "DATA_DIR", "BUILTIN_MODEL", "TEST_DATABASE"}


def test_it_knows_no_setting_of_the_shell_and_leaves_its_data_folder_alone(tmp_path: Path) -> None:
    console, scratch = tmp_path / "console", tmp_path / "scratch"
    scratch.mkdir()
    exported = dict.fromkeys(variables_documented(), "of the shell")
    exported |= {f"{name}_FILE": "/of the shell" for name in exported}
    environment = {name: value for name, value in os.environ.items() if name != "FACET_TEST_DATA_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", "import json, os, tests.environment; print(json.dumps(dict(os.environ)))"],
        cwd=ROOT,
        env=environment | exported | {"DATA_DIR": str(console), "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=True,
    )
    known = json.loads(done.stdout)
    assert {name for name in exported if name in known} == SET
    assert {name for name, value in known.items() if "of the shell" in value} == {"TEST_DATABASE"}
    assert Path(known["DATA_DIR"]).parent == scratch and not console.exists()
