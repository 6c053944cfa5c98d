"""A repository on this machine: opened, begun, and moved on, its checked-out files with it.

Nothing of git is run: no hook, no filter, no command a configuration names.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from dulwich.errors import NotGitRepository
from dulwich.index import index_entry_from_stat
from dulwich.objects import Blob, ObjectID
from dulwich.repo import Repo

from console.core.errors import BadInput, Conflict
from prompts_app.git.trees import Trees

_HEADS = b"refs/heads/"


def open_repository(path: Path) -> Repo:
    """Open what is there; BadInput when it is no repository."""
    try:
        return Repo(str(path))
    except (NotGitRepository, OSError):
        raise BadInput(f"{path} is not a git repository.", param="address") from None
    except Exception as error:  # dulwich has an error of its own for each broken file
        raise BadInput(f"{path} cannot be opened as a git repository: {type(error).__name__}.") from None


def open_or_begin(path: Path) -> Repo:
    """Open a repository, or begin one in a folder that is new or empty."""
    if (path / ".git").exists() or (path / "HEAD").is_file():
        return open_repository(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInput(f"{path} holds other files and is no git repository; name a new or an empty folder.")
    try:
        return Repo.init(str(path), mkdir=not path.exists(), default_branch=b"main")
    except OSError as error:
        raise BadInput(f"{path} cannot be made: {error.strerror}.") from None


def branch_of(repo: Repo) -> bytes:
    """Return the ref that is checked out; BadInput when a commit is instead of a branch."""
    names, _ = repo.refs.follow(b"HEAD")  # type: ignore[arg-type]
    ref = names[-1]
    if not ref.startswith(_HEADS):
        raise BadInput("The repository has a commit checked out instead of a branch; check a branch out first.")
    return bytes(ref)


def head_of(repo: Repo, ref: bytes) -> ObjectID | None:
    try:
        return repo.refs[ref]  # type: ignore[index]
    except KeyError:
        return None


def move(repo: Repo, ref: bytes, old: ObjectID | None, new: ObjectID | None) -> None:
    """Point a branch at what was appended to it, and its checked-out files with it."""
    if old == new or new is None:
        return
    is_out = not repo.bare and branch_of(repo) == ref
    trees = Trees(repo.object_store)
    before = trees.commit(old).tree if old else None
    if is_out:
        _check_clean(repo, trees, before, trees.commit(new).tree)
    name = ref
    done = repo.refs.set_if_equals(name, old, new) if old else repo.refs.add_if_new(name, new)  # type: ignore[arg-type]
    if not done:
        raise Conflict("Somebody committed to the branch meanwhile; run it again.")
    if is_out:
        _check_out(repo, trees, before, trees.commit(new).tree)


def _check_clean(repo: Repo, trees: Trees, before: ObjectID | None, after: ObjectID) -> None:
    """Refuse to write over what somebody has not committed."""
    root = Path(repo.path)
    staged = {path: entry.sha for path, entry in repo.open_index().items() if hasattr(entry, "sha")}
    committed = {path.encode(): entry for path, _, entry in trees.changed(None, before) if entry}
    if staged != {path: entry[1] for path, entry in committed.items()}:
        raise Conflict(f"{root} has changes that are staged and not committed; commit or unstage them first.")
    for path, old, _ in trees.changed(before, after):
        target = root / path
        if any(folder.is_symlink() for folder in (target, *target.parents) if folder.is_relative_to(root)):
            raise Conflict(f"{target} is, or lies behind, a symbolic link; remove it first.")
        is_there = target.exists()
        if old is None and is_there:
            raise Conflict(f"{target} is in the way and not in git; move it or add it first.")
        if old is not None and (not is_there or Blob.from_string(target.read_bytes()).id != old[1]):
            raise Conflict(f"{target} has changes that are not committed; commit or discard them first.")


def _check_out(repo: Repo, trees: Trees, before: ObjectID | None, after: ObjectID) -> None:
    root = Path(repo.path)
    index = repo.open_index()
    for path, _, entry in trees.changed(before, after):
        target = root / path
        if entry is None:
            target.unlink()
            del index[path.encode()]
            for folder in target.parents:
                if folder == root or any(folder.iterdir()):
                    break
                folder.rmdir()
            continue
        blob = repo.object_store[entry[1]]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(blob.data if isinstance(blob, Blob) else b"")
        index[path.encode()] = index_entry_from_stat(os.lstat(target), entry[1], mode=entry[0])
    index.write()


def move_tags(repo: Repo, moves: Mapping[bytes, ObjectID | None]) -> None:
    for name, sha in moves.items():
        if sha is None:
            repo.refs.remove_if_equals(name, None)  # type: ignore[arg-type]
        else:
            repo.refs[name] = sha  # type: ignore[index]


def tags_of(repo: Repo) -> dict[bytes, ObjectID]:
    return {bytes(name): sha for name, sha in repo.get_refs().items() if name.startswith(b"refs/tags/")}
