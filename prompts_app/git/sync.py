"""One exchange with the connected repository: read its new commits, then write what it lacks, then its labels.

1. A worker claims the sync; a claim that is old belongs to a worker that died.
2. Commits that follow become versions. Conflicting files are left alone on both sides and listed.
3. Versions the repository lacks are appended and pushed, with the labels. A push that comes second is refused by the
   repository, and the next sync, which is asked for at once, starts from what came first.
"""

import datetime as dt
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Q
from dulwich.repo import Repo

from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.core.crypto import SecretUnreadable
from console.core.errors import BadInput, ProviderError, Refusal
from console.teams.callers import SYSTEM, Actor
from prompts_app import listeners
from prompts_app.git import folder
from prompts_app.git.address import Address, check_address
from prompts_app.git.exchange import keep_rows
from prompts_app.git.exports import WrittenVersions, write_commits
from prompts_app.git.imports import import_commits
from prompts_app.git.labels import tag_moves, wanted_tags
from prompts_app.git.models import GitRemote, GitSync
from prompts_app.git.problems import Unreadable, told_of_damage
from prompts_app.git.report import Imported
from prompts_app.git.transport import Overtaken, PushRefused, connection, drop_mirror, mirror_of

_CLAIM = dt.timedelta(minutes=15)
_KEEP = dt.timedelta(days=90)
Outcome = GitSync.Outcome


def sync(*, actor: Actor = SYSTEM, take: Collection[str] = (), keep: Collection[str] = ()) -> GitSync | None:
    """Exchange with the connected repository now; None when none is connected or another worker is at it."""
    claimed = now()
    # A claim from a time that is yet to come was made by a clock that was put right since.
    free = Q(claimed_at=None) | Q(claimed_at__lt=claimed - _CLAIM) | Q(claimed_at__gt=claimed + _CLAIM)
    if not GitRemote.objects.filter(free).update(claimed_at=claimed, wanted_at=None):
        return None
    remote = GitRemote.objects.get()
    # The claim is ours, so whoever is still said to run has ended without a word.
    GitSync.objects.filter(outcome=Outcome.RUNNING).update(
        outcome=Outcome.FAILED, sentence="The worker ended before it was done.", ended_at=now()
    )
    log = GitSync.objects.create(kind=GitSync.Kind.SYNC, source=remote.address, actor_name=actor.name[:200])
    try:
        with listeners.silence(), told_of_damage():
            found, written, labels = _exchange(remote, actor, take, keep)
        _done(log, found, written, labels)
    except Unreadable as error:
        log.problems = [str(problem) for problem in error.problems][:200]
        _failed(log, Outcome.REFUSED, "Files of the repository are outside the schema; nothing was exchanged.")
    except Overtaken as error:
        GitRemote.objects.update(wanted_at=now())
        _failed(log, Outcome.REFUSED, error.message)
    except Refusal as error:
        _failed(log, Outcome.REFUSED, error.message)
    except PushRefused as error:
        log.problems = error.said
        _failed(log, Outcome.FAILED, error.message)
    except (ProviderError, SecretUnreadable) as error:
        _failed(log, Outcome.FAILED, str(error))
    except Exception:
        _failed(log, Outcome.FAILED, "Something broke; the worker's log has the details.")
        raise
    finally:
        GitRemote.objects.filter(claimed_at=claimed).update(claimed_at=None)  # by now it may be another worker's
        log.save()
        _tidy(log)
    record(
        actions.GIT_SYNCED,
        actor=actor,
        target=remote,
        status="ok" if log.outcome in {Outcome.OK, Outcome.CONFLICTS} else "error",
        detail={"imported": log.imported, "exported": log.exported, "labels": log.labels, "outcome": log.outcome},
        reason=log.sentence,
    )
    return log


def _exchange(
    remote: GitRemote, actor: Actor, take: Collection[str], keep: Collection[str]
) -> tuple[Imported, WrittenVersions, int]:
    address = check_address(remote.address)
    branch = f"refs/heads/{remote.branch}".encode()
    if address.is_folder:
        return _with_folder(Path(address.path), branch, actor, take, keep)
    try:
        return _with_mirror(remote, address, branch, actor, take, keep)
    except (Refusal, ProviderError, SecretUnreadable, DatabaseError):
        raise
    except Exception:  # dulwich has an error of its own for each broken file, and our copy can be fetched again
        drop_mirror(address)
        return _with_mirror(remote, address, branch, actor, take, keep)


def _with_mirror(
    remote: GitRemote, address: Address, branch: bytes, actor: Actor, take: Collection[str], keep: Collection[str]
) -> tuple[Imported, WrittenVersions, int]:
    with connection(remote) as there, closing(mirror_of(address)) as mirror:
        refs = there.refs()
        tip = refs.get(branch)
        found = Imported()
        if tip:
            there.fetch(mirror, tip)
            found = import_commits(actor=actor, repo=mirror, tip=tip, take=take, keep=keep)
        written = write_commits(mirror, tip, leave=_conflicting(found))
        tags = tag_moves(
            wanted_tags(mirror, written.rows), {n: s for n, s in refs.items() if n.startswith(b"refs/tags/")}
        )
        moves = tags | ({branch: written.tip} if written.tip != tip else {})
        if moves:
            there.push(mirror, branch, tip, moves)
        keep_rows(written)
    return found, written, len(tags)


def _with_folder(
    path: Path, branch: bytes, actor: Actor, take: Collection[str], keep: Collection[str]
) -> tuple[Imported, WrittenVersions, int]:
    with closing(open_inside(path)) as repo, transaction.atomic():
        tip = folder.head_of(repo, branch)
        found = import_commits(actor=actor, repo=repo, tip=tip, take=take, keep=keep) if tip else Imported()
        written = write_commits(repo, tip, leave=_conflicting(found))
        keep_rows(written)
        folder.move(repo, branch, tip, written.tip)
        tags = tag_moves(wanted_tags(repo, written.rows), folder.tags_of(repo))
        folder.move_tags(repo, tags)
    return found, written, len(tags)


def open_inside(path: Path) -> Repo:
    """Open or begin a repository whose files all lie where the settings allow."""
    repo = folder.open_or_begin(path)
    for part in (repo.controldir(), repo.commondir()):
        if not Path(part).resolve().is_relative_to(path):
            repo.close()
            raise BadInput(
                "The repository keeps its files in another folder; connect a plain repository.", param="address"
            )
    return repo


def _conflicting(found: Imported) -> set[str]:
    return {conflict.slug for conflict in found.conflicts}


def _done(log: GitSync, found: Imported, written: WrittenVersions, labels: int) -> None:
    log.imported, log.exported, log.labels = found.versions, written.count, labels
    log.conflicts = [conflict.as_json() for conflict in found.conflicts]
    log.outcome = Outcome.CONFLICTS if found.conflicts else Outcome.OK
    log.tip = "" if found.conflicts or not written.tip else written.tip.decode()
    log.sentence = " ".join(found.notes)[:500]
    log.ended_at = now()


def _failed(log: GitSync, outcome: str, sentence: str) -> None:
    log.outcome, log.sentence, log.ended_at = outcome, sentence[:500], now()


def _tidy(log: GitSync) -> None:
    """Of syncs that found nothing to do, the newest says enough; of all others, the last three months."""
    GitSync.objects.filter(started_at__lt=now() - _KEEP, kind=GitSync.Kind.SYNC, tip="").delete()
    if log.outcome == Outcome.OK and not (log.imported or log.exported or log.labels):
        nothing: dict[str, Any] = {"imported": 0, "exported": 0, "labels": 0, "outcome": Outcome.OK}
        GitSync.objects.filter(kind=GitSync.Kind.SYNC, tip=log.tip, **nothing).exclude(pk=log.pk).delete()


def check(*, actor: Actor) -> tuple[bool, str]:
    """Look whether the repository answers and has the branch; nothing is exchanged."""
    remote = GitRemote.objects.first()
    if remote is None:
        raise BadInput("No repository is connected; connect one first.")
    try:
        said = _look(remote)
        is_ok = True
    except Refusal as error:
        is_ok, said = False, error.message
    except (ProviderError, SecretUnreadable) as error:
        is_ok, said = False, str(error)
    record(actions.GIT_TESTED, actor=actor, target=remote, status="ok" if is_ok else "error", reason=said)
    return is_ok, said


def _look(remote: GitRemote) -> str:
    address = check_address(remote.address)
    branch = f"refs/heads/{remote.branch}".encode()
    if address.is_folder:
        path = Path(address.path)
        if not path.exists():
            return "The folder is not there yet; the first sync begins a repository in it."
        with closing(folder.open_repository(path)) as repo:
            refs: Any = repo.get_refs()
    else:
        with connection(remote) as there:
            refs = there.refs()
    if branch in refs:
        return f"The repository answers; {remote.branch} is at {refs[branch].decode()[:10]}."
    return f"The repository answers; it has no branch {remote.branch} yet, so the first sync begins it."


def tick() -> GitSync | None:
    """Sync when somebody asked for it, or when it is time by the clock."""
    remote = GitRemote.objects.first()
    if remote is None:
        return None
    past = GitSync.objects.filter(kind=GitSync.Kind.SYNC, started_at__lte=now())
    last = past.values_list("started_at", flat=True).first()
    pause = dt.timedelta(minutes=remote.every_minutes)
    is_due = bool(remote.every_minutes) and (last is None or now() - last >= pause)
    return sync() if remote.wanted_at or is_due else None
