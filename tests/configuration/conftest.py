"""Files that are applied, what is wrong with them, and what an installation is exported to."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Apply a text as a file, from the folder `run.folder`, and return what is said."""

    def run(text: str, *arguments: str) -> str:
        (tmp_path / "facet.yaml").write_text(text)
        out = StringIO()
        call_command("apply", str(tmp_path / "facet.yaml"), *arguments, stdout=out, no_color=True)
        return out.getvalue()

    run.folder = tmp_path  # type: ignore[attr-defined]
    return run


def problems_of(run: Any, text: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(text)
    return str(caught.value)


def exported() -> str:
    out = StringIO()
    call_command("export", stdout=out)
    return out.getvalue()
