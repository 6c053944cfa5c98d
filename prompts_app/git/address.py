"""Where a repository may be: only where the deployment's settings say, and nowhere a person can add by the page.

PROMPTS_GIT_HOSTS names hosts as `git.example.com` (https), `https://git.example.com:8443` or `ssh://git.example.com`;
PROMPTS_GIT_FOLDERS names folders of this machine.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from console.core.errors import BadInput

_PORTS = {"https": 443, "http": 80, "ssh": 22}
_SCP = re.compile(r"(?P<user>[A-Za-z0-9._-]+)@(?P<host>[A-Za-z0-9.-]+):(?P<path>[^:].*)\Z")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
_PATH = re.compile(r"/(?!-)[A-Za-z0-9._~/-]+\Z")  # a path that begins with a hyphen is an option

_HOST_KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk)-[a-z0-9@.-]+)\s+([A-Za-z0-9+/]+=*)(?:\s|$)")


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart once; what was checked is what gets connected."""

    scheme: str  # https, http, ssh or folder
    path: str  # over ssh, without a slash in front, it begins at the user's home
    host: str = ""
    port: int = 0
    username: str = ""

    @property
    def is_folder(self) -> bool:
        return self.scheme == "folder"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return what a credential belongs to."""
        return (self.scheme, self.host, self.port)

    @property
    def url(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}/{self.path.removeprefix('/')}"


def check_address(text: str) -> Address:
    """Return the parts of an address the settings allow; BadInput says what is wrong, or who can allow it."""
    text = text.strip()
    if text.startswith(("/", "file://")):
        return _folder(text.removeprefix("file://"))
    if scp := _SCP.match(text):
        text = f"ssh://{scp['user']}@{scp['host']}/{scp['path'].removeprefix('/')}"
    found = _parse(text)
    if scp and not scp["path"].startswith("/"):
        found = replace(found, path=found.path[1:])  # below the home of that user
    if found.origin not in {_parse_allowed(entry).origin for entry in settings.PROMPTS_GIT_HOSTS}:
        entry = found.host if found.scheme == "https" else f"{found.scheme}://{found.host}"
        raise _refused(
            f"Repositories at {found.scheme}://{found.host} are not allowed here; whoever runs this installation can "
            f"add {entry!r} to PROMPTS_GIT_HOSTS."
        )
    return found


def _refused(sentence: str) -> BadInput:
    return BadInput(sentence, param="address")


def _parse(text: str) -> Address:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _refused("The address cannot be read; write it as https://host/path.git.") from None
    if parts.scheme not in _PORTS:
        raise _refused("Write https://host/path.git, ssh://git@host/path.git, or the path of a folder.")
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        raise _refused("The address holds a user name or password; put them into their own fields.")
    host = (parts.hostname or "").lower()
    if not _HOST.match(host) or ".." in host:
        raise _refused("The address has no host name in plain letters, digits, dots and hyphens.")
    if parts.query or parts.fragment or not _PATH.match(parts.path) or "/../" in f"{parts.path}/":
        raise _refused("The path may hold letters, digits, dots, hyphens, underscores and slashes, and no ..")
    username = parts.username or ""
    if username and not re.fullmatch(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,60}", username):
        raise _refused("The user name in the address cannot be read.")
    return Address(parts.scheme, parts.path.rstrip("/"), host, port or _PORTS[parts.scheme], username)


def _parse_allowed(entry: str) -> Address:
    return _parse(f"{entry if '://' in entry else f'https://{entry}'}/x")


def _folder(text: str) -> Address:
    allowed = [Path(folder).resolve() for folder in settings.PROMPTS_GIT_FOLDERS]
    path = Path(text).resolve()
    if not any(path.is_relative_to(folder) and path != folder for folder in allowed):
        raise _refused(
            f"Repositories in {text} are not allowed here; whoever runs this installation can add a folder above it to "
            "PROMPTS_GIT_FOLDERS."
        )
    return Address("folder", str(path))


def check_host_key(text: str) -> str:
    """Return `type key` of a public key as known_hosts or `ssh-keyscan` writes it."""
    found: dict[str, None] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        key = _HOST_KEY.search(line)
        if key is None:
            raise BadInput("Write the host's public key as `ssh-keyscan` prints it.", param="host_key")
        found[f"{key[1]} {key[2]}"] = None
    return "\n".join(found)
