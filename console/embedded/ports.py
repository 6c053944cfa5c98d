"""Ports on loopback, kept in a file so that addresses rarely change."""

import socket
from pathlib import Path


def _file(run: Path, name: str) -> Path:
    return run / f"{name}.port"


def choose(run: Path, name: str) -> int:
    """Return the port of the program's last start if it is still free, else another."""
    try:
        wanted = int(_file(run, name).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        wanted = 0
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen = int(probe.getsockname()[1])
            run.mkdir(mode=0o700, parents=True, exist_ok=True)
            _file(run, name).write_text(str(chosen), encoding="ascii")
            return chosen
    raise OSError("No port is free on 127.0.0.1.")


def answers(run: Path, name: str) -> bool:
    """Return whether something takes connections where the program was started last."""
    try:
        port = int(_file(run, name).read_text(encoding="ascii"))
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except (OSError, ValueError):
        return False
    return True


def base_url(run: Path, name: str) -> str:
    """Return the address the program has at this start; OSError or ValueError when it has never been started here."""
    return f"http://127.0.0.1:{int(_file(run, name).read_text(encoding='ascii'))}/v1"
