from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from console.embedded import defaults, postgres
from tests import server


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Not in pytest's own folder: every pytest that begins on this machine closes that to the user PostgreSQL runs as.
    with TemporaryDirectory(prefix="facet-") as name:
        monkeypatch.setattr(server, "FOLDER", Path(name))
        yield Path(name)
        server.stop()


def test_a_cluster_that_cannot_start_is_made_anew(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = folder / "postgres"
    postgres.prepare(data, defaults.socket_folder(folder))
    for segment in (data / "pg_wal").glob("0*"):  # as after a power cut without fsync: nothing to recover from
        segment.unlink()

    address = server.start()

    assert "making it anew" in capfd.readouterr().err
    assert postgres.psql(defaults.socket_folder(folder), "SELECT 1 FROM pg_database WHERE datname = 'facet'") == "1"
    assert server.start() == address, "a second run finds it running"
    assert "making it anew" not in capfd.readouterr().err
