"""Tests keep away from what the shell they are run in is set up for."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_it_leaves_an_exported_data_folder_alone(tmp_path: Path) -> None:
    console, scratch = tmp_path / "console", tmp_path / "scratch"
    scratch.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "FACET_TEST_DATA_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", "import os, tests.environment; print(os.environ['DATA_DIR'])"],
        cwd=ROOT,
        env=environment | {"DATA_DIR": str(console), "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).parent == scratch and not console.exists()
