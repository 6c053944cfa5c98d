"""Access to a remote repository: list, fetch, push. A local folder needs none of this."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from django.conf import settings
from dulwich.client import GitClient
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError
from dulwich.object_store import ObjectStoreGraphWalker
from dulwich.objects import ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

from console.core.crypto import decrypt
from console.core.errors import Conflict, ProviderError
from console.core.scrub import REDACTED, scrub
from console.outbound.git import GuardedGitClient
from console.outbound.ssh import guarded_ssh
from prompts_app.git.address import Address, check_address
from prompts_app.git.models import GitRemote
from prompts_app.git.packs import check_pack

# What `ssh` says at length, and with names of files that are gone by then; the first that fits is the reason.
_SSH_SAYS = {
    "Host key verification failed": "The git host has another key than the one given here, so nothing was sent to it. "
    "Compare both with what your host publishes.",
    "Load key": "The private key given here cannot be read, or has a passphrase.",
    "Permission denied (": "The git host refused the credential.",
}
_MOST_WORDS, _MOST_LINES, _LONGEST_LINE = 8_192, 30, 300
_HOW_FAR = re.compile(r"[A-Z][a-z ]+: +\d+% \(")  # "Resolving deltas:  50% (1/2)"
_NOTHING = ObjectID(b"0" * 40)
_KEPT = Ref(b"refs/facet")
Refs = dict[bytes, ObjectID]


class Overtaken(Conflict):
    """Somebody else's push came first, and ours was not sent."""


class PushRefused(ProviderError):
    """The git host took the push and moved nothing; `said` are its hooks' own words, line by line."""

    def __init__(self, message: str, said: list[str]) -> None:
        super().__init__(message, permanent=True)
        self.said = said


@contextmanager
def connection(remote: GitRemote) -> Iterator["Connection"]:
    """Open the way. The address is checked again: the settings may have changed since it was saved."""
    address = check_address(remote.address)
    secret = decrypt(remote.credential) if remote.credential else ""
    if address.scheme == "ssh":
        with (
            tempfile.TemporaryDirectory(prefix="facet-git-") as folder,
            guarded_ssh(
                address.host,
                port=address.port,
                username=remote.username or address.username,
                host_key=remote.host_key,
                private_key=secret,
                folder=Path(folder),
            ) as client,
        ):
            yield Connection(client, address.path, secret)
        return
    over_http = GuardedGitClient(address.url, username=remote.username, password=secret)
    try:
        yield Connection(over_http, "", secret)
    finally:
        over_http.close()


def mirror_of(address: Address) -> Repo:
    """Open this machine's copy of a repository. It can always be fetched again, so one that does not open is."""
    path = _mirror_path(address)
    if (path / "HEAD").exists():
        with suppress(Exception):  # dulwich has an error of its own for each broken file
            return Repo(str(path))
    drop_mirror(address)
    path.mkdir(parents=True, exist_ok=True)
    return Repo.init_bare(str(path))


def drop_mirror(address: Address) -> None:
    """Throw this machine's copy away: it is damaged, or was only begun."""
    shutil.rmtree(_mirror_path(address), ignore_errors=True)


def _mirror_path(address: Address) -> Path:
    name = hashlib.sha256(address.url.encode()).hexdigest()[:16]
    return Path(settings.DATA_DIR) / "git" / f"{name}.git"


class Connection:
    """One repository being spoken to."""

    def __init__(self, client: GitClient, path: str, secret: str) -> None:
        self._client, self._path, self._secret = client, path, secret

    def refs(self) -> Refs:
        with _in_our_words():
            found = self._client.get_refs(self._path.encode(), protocol_version=0).refs
        refs = {bytes(name): sha for name, sha in found.items() if sha is not None}
        if any(len(sha) != len(_NOTHING) for sha in refs.values()):
            raise ProviderError(
                "The repository names its objects by SHA-256; connect one that is made without --object-format.",
                permanent=True,
            )
        return refs

    def fetch(self, mirror: Repo, tip: ObjectID) -> None:
        """Bring a commit and everything before it into the mirror: of that only what is not there yet."""
        if tip in mirror.object_store:
            _remember(mirror, tip)
            return
        # By itself it would offer branches, of which a mirror has none.
        known = [sha for sha in mirror.refs.as_dict(_KEPT).values() if sha in mirror]
        with SpooledTemporaryFile(max_size=8 * 1024 * 1024) as pack:
            with _in_our_words():
                self._client.fetch_pack(
                    self._path.encode(),
                    lambda refs, depth=None: [tip],
                    ObjectStoreGraphWalker(known, lambda sha: _parents(mirror, sha)),
                    pack.write,
                    protocol_version=0,
                )
                pack.seek(0)
                check_pack(pack.read())
                pack.seek(0)
            # What came may build on what is here, and that may be damaged: then the fault is ours.
            with nullcontext() if known else _in_our_words():
                mirror.object_store.add_thin_pack(pack.read, None)
        _remember(mirror, tip)

    def push(self, mirror: Repo, branch: bytes, old: ObjectID | None, moves: Mapping[bytes, ObjectID | None]) -> None:
        """Move refs of the repository, if its branch is still where it was."""

        def decide(there: Mapping[bytes, ObjectID]) -> Refs:
            if there.get(branch) != old:
                raise Overtaken(
                    "Somebody pushed to the branch meanwhile; the next sync, within a minute, takes that in."
                )
            return {name: sha or _NOTHING for name, sha in moves.items()}

        def pack(have: set[ObjectID], want: set[ObjectID], *, ofs_delta: bool = False, progress: object = None) -> Any:
            return mirror.generate_pack_data(have, want, ofs_delta=ofs_delta)  # how far we are is nobody's word

        words = _Words()
        with _in_our_words():
            done = self._client.send_pack(self._path, decide, pack, progress=words.hear)  # type: ignore[arg-type]
        refused = {name: said for name, said in (done.ref_status or {}).items() if said}
        if refused:
            name = branch if branch in refused else next(iter(refused))
            said = words.lines(without=self._secret)
            raise PushRefused(f"The git host refused to move {name.decode()}: {_short(refused[name])}.", said)
        if tip := moves.get(branch):
            _remember(mirror, tip)


class _Damaged(Exception):
    """The mirror cannot be read. It can be fetched again."""


def _parents(mirror: Repo, sha: ObjectID) -> list[ObjectID]:
    try:
        return mirror.get_parents(sha)
    except Exception as error:  # dulwich has an error of its own for each broken file
        raise _Damaged from error


def _remember(mirror: Repo, tip: ObjectID) -> None:
    """Name a commit that mirror and repository have, so that the next fetch says so and brings what came after it."""
    mirror.refs[Ref(_KEPT + b"/shared")] = tip


class _Words:
    """What the other side says beside a push, as far as it is kept: its hooks' words, among how far it is."""

    def __init__(self) -> None:
        self._heard = b""

    def hear(self, piece: bytes) -> None:
        self._heard = (self._heard + piece)[:_MOST_WORDS]

    def lines(self, without: str) -> list[str]:
        """Return the lines as they may be shown: without secrets, this one too, and without what cannot be seen."""
        text = self._heard.decode("utf-8", "replace")
        text = scrub(text.replace(without, REDACTED) if without else text)[0]
        lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in re.split(r"[\r\n]+", text)]
        return [line[:_LONGEST_LINE] for line in lines if line and not _HOW_FAR.match(line)][:_MOST_LINES]


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Say in our words what went wrong on the way."""
    try:
        yield
    except NotGitRepository:
        raise ProviderError("There is no git repository at this address.", permanent=True) from None
    except HangupException as error:
        said = b" ".join(error.stderr_lines or []).decode("utf-8", "replace")
        for sign, meant in _SSH_SAYS.items():
            if sign in said:
                raise ProviderError(meant, permanent=True) from None
        raise ProviderError(f"The git host closed the connection. {_short(said)}".strip()) from None
    except SendPackError as error:
        raise ProviderError(f"The git host refused the push: {_short(error)}.", permanent=True) from None
    except (GitProtocolError, OSError, ValueError, AssertionError) as error:
        raise ProviderError(f"The git host could not be understood: {_short(error)}.") from None


def _short(said: object) -> str:
    text = str(said)
    with suppress(AttributeError):
        text = said.decode("utf-8", "replace")  # type: ignore[attr-defined]
    return " ".join(text.split())[:200].rstrip(".")
