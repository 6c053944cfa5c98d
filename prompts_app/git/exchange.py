"""Export to a folder, import from one, or both: what the commands and the sync of a local repository do."""

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from django.db import transaction

from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.teams.callers import Actor
from console.teams.models import Team
from prompts_app.git import folder
from prompts_app.git.exports import WrittenVersions, write_commits
from prompts_app.git.imports import import_commits
from prompts_app.git.labels import tag_moves, wanted_tags
from prompts_app.git.models import GitCommit, GitSync
from prompts_app.git.pending import Reader, find_pending, prompt_files
from prompts_app.git.problems import told_of_damage
from prompts_app.git.report import Imported


def keep_rows(written: WrittenVersions) -> None:
    """Remember which commits an export made."""
    GitCommit.objects.bulk_create(written.rows, batch_size=1000, ignore_conflicts=True)


def export_folder(*, actor: Actor, path: Path) -> GitSync:
    """Bring a repository up to the console; it is begun when there is none. Appends, never rewrites."""
    with told_of_damage(), closing(folder.open_or_begin(path)) as repo:
        ref = folder.branch_of(repo)
        tip = folder.head_of(repo, ref)
        reader = Reader(repo)
        if tip and (unseen := find_pending(prompt_files(repo, tip, reader), reader)):
            names = ", ".join(sorted(one.path for one in unseen)[:5])
            raise Conflict(f"The repository has commits the console does not know ({names}); import them first.")
        with transaction.atomic():
            written = write_commits(repo, tip)
            keep_rows(written)
            folder.move(repo, ref, tip, written.tip)
            moves = tag_moves(wanted_tags(repo, written.rows), folder.tags_of(repo))
            folder.move_tags(repo, moves)
            return _log(GitSync.Kind.EXPORT, actor, path, written=written, labels=len(moves))


def import_folder(
    *,
    actor: Actor,
    path: Path,
    team: Team | None = None,
    take: Collection[str] = (),
    keep: Collection[str] = (),
    dry_run: bool = False,
) -> Imported:
    """Make versions of the commits of a repository's checked-out branch. The repository itself is only read."""
    with told_of_damage(), closing(folder.open_repository(path)) as repo:
        tip = folder.head_of(repo, folder.branch_of(repo))
        if tip is None:
            raise BadInput(f"{path} has no commit yet.")
        with transaction.atomic():
            found = import_commits(actor=actor, repo=repo, tip=tip, team=team, take=take, keep=keep, dry_run=dry_run)
            if not dry_run:
                _log(GitSync.Kind.IMPORT, actor, path, found=found)
        return found


def _log(
    kind: str,
    actor: Actor,
    path: Path,
    *,
    found: Imported | None = None,
    written: WrittenVersions | None = None,
    labels: int = 0,
) -> GitSync:
    conflicts = [conflict.as_json() for conflict in found.conflicts] if found else []
    tip = found.tip if found else (written.tip or b"").decode() if written else ""
    return GitSync.objects.create(
        kind=kind,
        source=str(path)[:500],
        actor_name=actor.name[:200],
        ended_at=now(),
        outcome=GitSync.Outcome.CONFLICTS if conflicts else GitSync.Outcome.OK,
        tip="" if conflicts else tip,
        imported=found.versions if found else 0,
        exported=written.count if written else 0,
        labels=labels,
        conflicts=conflicts,
    )
