"""Git over ssh: the system's `ssh`, with the address that was checked and without its own configuration."""

import ipaddress
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dulwich.client import SSHGitClient, SSHVendor, SubprocessWrapper
from dulwich.protocol import Protocol

from console.core.errors import BadInput, ProviderError
from console.outbound.errors import refused, sentence
from console.outbound.git import LARGEST, too_large
from console.outbound.guard import is_refused

_TOTAL_SECONDS = 120
_ALIAS = "facet-git"
_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "HostKeyAlias": _ALIAS,
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "ForwardAgent": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "ProxyCommand": "none",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "2",
}


def checked_address(host: str, port: int) -> str:
    """Return one address of a host; none when any of its addresses is out of bounds."""
    try:
        answers = {str(a[4][0]).partition("%")[0] for a in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        raise ProviderError("The git host cannot be reached.", code="upstream_unreachable") from None
    if not answers or any(is_refused(ipaddress.ip_address(answer)) for answer in answers):
        raise ProviderError(
            sentence(refused(), "the git host", is_operators=True), permanent=True, code="address_refused"
        )
    return min(answers)


class BoundedAnswer(SubprocessWrapper):
    """What `ssh` says, as far as a repository may be large: its list of refs and its pack together."""

    def __init__(self, started: "subprocess.Popen[bytes]") -> None:
        super().__init__(started)
        read, left = self.read, LARGEST

        def bounded(size: int | None = -1) -> bytes:
            nonlocal left
            piece = read(left + 1 if size is None or size < 0 else size)
            left -= len(piece)
            if left < 0:
                started.kill()
                raise too_large()
            return piece

        self.read = bounded


class _Vendor(SSHVendor):
    """Starts `ssh` with everything it may know in one folder."""

    def __init__(self, folder: Path, host_key: str, private_key: str) -> None:
        self._folder = folder
        self._started: list[tuple[subprocess.Popen[bytes], threading.Timer]] = []
        known = "".join(f"{_ALIAS} {line}\n" for line in host_key.splitlines())
        (folder / "known_hosts").write_text(known, encoding="utf-8")
        key = folder / "key"
        key.touch(mode=0o600)
        key.write_text(private_key.replace("\r\n", "\n").rstrip("\n") + "\n", encoding="utf-8")

    def arguments(self, host: str, username: str | None, port: int | None) -> list[str]:
        options = _OPTIONS | {
            "UserKnownHostsFile": str(self._folder / "known_hosts"),
            "HostName": checked_address(host, port or 22),
        }
        words = ["-F", "/dev/null", "-x", "-T", "-i", str(self._folder / "key"), "-p", str(port or 22)]
        for name, value in options.items():
            words += ["-o", f"{name}={value}"]
        return [*words, "-l", username or "git", "--", host]

    def run_command(
        self,
        host: str,
        command: bytes,
        username: str | None = None,
        port: int | None = None,
        password: str | None = None,
        key_filename: str | None = None,
        ssh_command: str | None = None,
        protocol_version: int | None = None,
    ) -> SubprocessWrapper:
        program = shutil.which("ssh")
        if program is None:
            raise ProviderError("This machine has no `ssh`; install it, or use https.", permanent=True)
        words = self.arguments(host, username, port)
        started = subprocess.Popen(  # noqa: S603
            [program, *words, command],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.defpath, "HOME": str(self._folder), "LC_ALL": "C"},
        )
        limit = threading.Timer(_TOTAL_SECONDS, started.kill)
        limit.daemon = True
        limit.start()
        self._started.append((started, limit))
        return BoundedAnswer(started)

    def end(self) -> None:
        """End what was started, with its pipes and its clock."""
        for started, limit in self._started:
            limit.cancel()
            started.kill()
            for pipe in (started.stdin, started.stdout, started.stderr):
                if pipe is not None:
                    pipe.close()
            started.wait()


class _Client(SSHGitClient):
    """Ends what it began: dulwich leaves a conversation open where the other side hangs up before its first word."""

    def __init__(self, host: str, *, port: int, username: str, vendor: _Vendor) -> None:
        super().__init__(host, port=port, username=username, vendor=vendor)
        self._vendor = vendor
        self._begun: list[Protocol] = []

    def _connect(
        self, cmd: bytes, path: str | bytes, protocol_version: int | None = None
    ) -> tuple[Protocol, Callable[[], bool], IO[bytes] | None]:
        began = super()._connect(cmd, path, protocol_version)
        self._begun.append(began[0])
        return began

    def end(self) -> None:
        self._vendor.end()
        for protocol in self._begun:
            protocol.close()


@contextmanager
def guarded_ssh(
    host: str, *, port: int, username: str, host_key: str, private_key: str, folder: Path
) -> Iterator[SSHGitClient]:
    """Give a client for as long as it is needed; `folder` is private to it and removed by the caller."""
    if not host_key:
        raise BadInput("Give the host's public key first; without it, anybody could answer.", param="host_key")
    client = _Client(host, port=port, username=username or "git", vendor=_Vendor(folder, host_key, private_key))
    try:
        yield client
    finally:
        client.end()
