"""Connect, change and disconnect the repository, and request a sync."""

import re
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key
from django.db import transaction

from console.audit import actions
from console.audit.actions import Action
from console.audit.services import changes, record
from console.core.clock import now
from console.core.crypto import encrypt
from console.core.errors import BadInput, Conflict, Overtaken, check_revision
from console.core.tasks import enqueue_on_commit
from console.teams.callers import Actor
from prompts_app.git.address import Address, check_address, check_host_key
from prompts_app.git.models import GitRemote
from prompts_app.models import Prompt

TASK = "prompts.git_sync"
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|\.lock$))[A-Za-z0-9][A-Za-z0-9._/-]{0,98}[A-Za-z0-9]\Z|[A-Za-z0-9]\Z")
FIELDS = ("address", "branch", "username", "host_key", "syncs_on_publish", "every_minutes")
_WANTS = {actions.PROMPT_CREATED, actions.PROMPT_CHANGED, actions.PROMPT_DELETED, actions.PROMPT_SAVED,
          actions.PROMPT_PUBLISHED, actions.PROMPT_ROLLED_BACK, actions.PROMPT_LABEL_REMOVED}  # fmt: skip
_LONGEST_PAUSE = 7 * 24 * 60


def connected() -> GitRemote | None:
    return GitRemote.objects.first()


def _logged(remote: GitRemote) -> dict[str, Any]:
    return {name: getattr(remote, name) for name in FIELDS} | {"credential": "set" if remote.credential else "not set"}


def _check(remote: GitRemote) -> Address:
    address = check_address(remote.address)
    if not _BRANCH.match(remote.branch):
        raise BadInput(f"{remote.branch[:60]!r} cannot be a branch's name.", param="branch")
    if not 0 <= remote.every_minutes <= _LONGEST_PAUSE:
        raise BadInput("Write a number of minutes up to a week, 0 for never.", param="every_minutes")
    if re.search(r"[\x00-\x20:<>]", remote.username):
        raise BadInput("The user name holds blanks or signs it cannot have.", param="username")
    remote.host_key = check_host_key(remote.host_key)
    return address


def _check_credential(text: str, address: Address) -> str:
    text = text.strip()
    if any(ord(c) < 32 and c not in "\r\n" for c in text) or ("\n" in text and "PRIVATE KEY" not in text):
        raise BadInput(
            "The credential holds control characters; paste the token, or the whole key.", param="credential"
        )
    if text and address.scheme == "ssh":
        _check_private_key(text)
    return text


def _check_private_key(text: str) -> None:
    """Refuse what `ssh` cannot use here: the public half, a token, a key that asks for a passphrase."""
    if "PRIVATE KEY" not in text:
        raise BadInput("Over ssh, paste the whole private key: it begins with -----BEGIN.", param="credential")
    load = load_ssh_private_key if "OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        load(f"{text}\n".encode(), password=None)
    except TypeError:
        raise BadInput("The private key has a passphrase, and nobody is here to type it.", param="credential") from None
    except (ValueError, UnsupportedAlgorithm):
        pass  # of a kind that `ssh` may know; a test of the connection says so if not


@transaction.atomic
def connect(
    *, actor: Actor, address: str, credential: str = "", seen_revision: int | None = None, **fields: Any
) -> GitRemote:
    """Connect a repository. Nothing is sent until a test or a sync.

    Overtaken with `seen_revision`: what was looked at was a repository that somebody disconnected since.
    """
    if seen_revision is not None:
        raise Overtaken("Somebody disconnected the repository after you opened it. Look again before you decide.")
    if GitRemote.objects.exists():
        raise Conflict("A repository is connected already; change it, or disconnect it first.")
    remote = GitRemote(address=address.strip(), **fields)
    credential = _check_credential(credential, _check(remote))
    remote.credential = encrypt(credential) if credential else ""
    remote.save(force_insert=True)
    record(actions.GIT_CONNECTED, actor=actor, target=remote, detail={"after": _logged(remote)})
    return remote


@transaction.atomic
def change(
    *, actor: Actor, credential: str | None = None, seen_revision: int | None = None, **fields: Any
) -> GitRemote:
    """Change the fields given. `credential=None` leaves it, "" takes it away; another host takes it away too.

    With `seen_revision`, Overtaken when somebody changed it since.
    """
    remote = _locked()
    check_revision("how the repository is connected", remote.revision, seen_revision)
    before, was = _logged(remote), _origin(remote.address)
    for name, value in fields.items():
        if name not in FIELDS:
            raise TypeError(f"A repository has no {name} to change.")
        setattr(remote, name, value.strip() if isinstance(value, str) else value)
    address = _check(remote)
    has_moved = address.origin != was
    if has_moved and "host_key" not in fields:
        remote.host_key = ""
    if credential is not None:
        credential = _check_credential(credential, address)
        remote.credential = encrypt(credential) if credential else ""
    elif has_moved:
        remote.credential = ""
    after = _logged(remote) | ({"credential": "set anew"} if credential else {})
    if before != after:
        remote.revision += 1
        remote.save(update_fields=[*FIELDS, "credential", "revision"])
        record(actions.GIT_CHANGED, actor=actor, target=remote, detail=changes(before, after))
    return remote


def _origin(address: str) -> tuple[str, str, int] | None:
    """Return what a saved address belonged to; None when the settings do not allow it any more."""
    try:
        return check_address(address).origin
    except BadInput:
        return None


@transaction.atomic
def disconnect(*, actor: Actor) -> None:
    """Forget the repository and its credential. What is in it, and what came from it, stays."""
    remote = _locked()
    before = _logged(remote)
    GitRemote.objects.all().delete()
    record(actions.GIT_DISCONNECTED, actor=actor, target=remote, detail={"before": before})


def _locked() -> GitRemote:
    remote = GitRemote.objects.select_for_update(no_key=True).first()
    if remote is None:
        raise Conflict("No repository is connected; connect one first.")
    return remote


@transaction.atomic
def want_sync(*, actor: Actor) -> None:
    """Have a worker sync soon, in the console's name. Asking twice is asking once."""
    remote = _locked()
    remote.wanted_at = now()
    remote.save(update_fields=["wanted_at"])
    record(actions.GIT_WANTED, actor=actor, target=remote)
    enqueue_on_commit(TASK)


def want_on_change(action: Action, prompt: Prompt) -> None:
    """Sync after a save or a publish, if that is wanted. Only the first of several changes wakes a worker."""
    waiting = GitRemote.objects.filter(syncs_on_publish=True, wanted_at=None)
    if action in _WANTS and waiting.update(wanted_at=now()):
        enqueue_on_commit(TASK)
