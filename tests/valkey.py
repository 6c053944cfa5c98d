"""A real Valkey for tests that need one."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from console.embedded import valkey
from console.embedded.defaults import socket_folder
from tests.waiting import until


class Valkey:
    """One server on a socket; stopping it is the outage of a test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "valkey").mkdir()
        socket_folder(folder).mkdir(exist_ok=True)
        self.url = f"unix://{socket_folder(folder)}/valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Valkey":
        self._process = subprocess.Popen(valkey.command(self._folder), stdout=subprocess.DEVNULL)
        until(self._is_there, "Valkey started")
        return self

    def _is_there(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "Valkey ended"
        client = redis.from_url(self.url)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def lose_everything(self) -> None:
        """Die as in a power cut, and come back empty."""
        self.stop()
        shutil.rmtree(self._folder / "valkey")
        (self._folder / "valkey").mkdir()
        self.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)


@pytest.fixture(scope="module")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.stop()
