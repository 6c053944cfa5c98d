"""Read the files and changes of a commit without a checkout."""

import stat
from collections.abc import Iterator
from itertools import count
from time import monotonic

from dulwich.object_store import BaseObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree

from console.core.errors import BadInput
from prompts_app.git.problems import Problem, Unreadable, unreadable
from prompts_app.text.refs import LONGEST_SLUG, SLUG

Entry = tuple[int, ObjectID]
_REGULAR = {0o100644, 0o100755, 0o100664}
# Files that belong to the repository rather than to the library. So does every name that begins with a dot.
_LEFT_ALONE = {"README.md", "LICENSE", "LICENSE.md", "CODEOWNERS"}
_DEEPEST = 30
# Files and folders of one tree: ten folders that are one and the same, ten levels deep, are a small repository.
_MOST_ENTRIES = 200_000
# Entries kept at hand, some hundred bytes each. A tree of many that changes a little is small in a pack.
_MOST_KEPT = 500_000
SUFFIX = ".md"


class Trees:
    """Reads trees of one object store, each once while there is room for them; for `minutes` at most, if given."""

    def __init__(self, store: BaseObjectStore, *, minutes: float | None = None) -> None:
        self.store = store
        self._read: dict[ObjectID, dict[bytes, Entry]] = {}
        self._kept = 0
        self._minutes, self._began = minutes, monotonic()

    def check_time(self) -> None:
        """Refuse to read on when it has taken too long. BadInput, as it is no file's fault."""
        if self._minutes is not None and monotonic() - self._began > self._minutes * 60:
            raise BadInput(
                f"The repository takes longer than {self._minutes:g} minutes to read; nothing of it was imported.",
                param="address",
            )

    def _object(self, sha: ObjectID) -> ShaFile:
        try:
            return self.store[sha]
        except KeyError:
            raise unreadable(
                ".", 0, f"The repository lacks the object {sha.decode()}; `git fsck` in it says more."
            ) from None

    def commit(self, sha: ObjectID) -> Commit:
        found = self._object(sha)
        if not isinstance(found, Commit):
            raise unreadable(sha.decode(), 0, "This is not a commit.")
        return found

    def entries(self, sha: ObjectID | None) -> dict[bytes, Entry]:
        if sha is None:
            return {}
        found = self._read.get(sha)
        if found is None:
            tree = self._object(sha)
            found = {e.path: (e.mode, e.sha) for e in tree.items()} if isinstance(tree, Tree) else {}
            self._kept += len(found) + 1
            if self._kept > _MOST_KEPT:
                self._read.clear()
                self._kept = len(found) + 1
            self._read[sha] = found
        return found

    def changed(self, old: ObjectID | None, new: ObjectID | None) -> Iterator[tuple[str, Entry | None, Entry | None]]:
        """Yield path, entry before and entry after of every file that differs between two trees."""
        yield from self._changed(old, new, b"", 0, count(1))

    def _changed(
        self, old: ObjectID | None, new: ObjectID | None, prefix: bytes, depth: int, seen: Iterator[int]
    ) -> Iterator[tuple[str, Entry | None, Entry | None]]:
        if old == new or depth > _DEEPEST:
            return
        self.check_time()
        before, after = self.entries(old), self.entries(new)
        for name in sorted(before.keys() | after.keys()):
            a, b = before.get(name), after.get(name)
            if a == b:
                continue
            if next(seen) > _MOST_ENTRIES:
                raise unreadable(".", 0, f"The repository has more than {_MOST_ENTRIES:,} files and folders.")
            path = prefix + name
            folder_before = a[1] if a and stat.S_ISDIR(a[0]) else None
            folder_after = b[1] if b and stat.S_ISDIR(b[0]) else None
            if folder_before or folder_after:
                yield from self._changed(folder_before, folder_after, path + b"/", depth + 1, seen)
            file_before, file_after = None if folder_before else a, None if folder_after else b
            if file_before or file_after:
                yield path.decode("utf-8", "replace"), file_before, file_after

    def at(self, tree: ObjectID | None, path: str) -> Entry | None:
        """Return what stands at a path, None when nothing or a folder does."""
        *folders, name = path.encode().split(b"/")
        for folder in folders:
            found = self.entries(tree).get(folder)
            if found is None or not stat.S_ISDIR(found[0]):
                return None
            tree = found[1]
        found = self.entries(tree).get(name)
        return None if found is None or stat.S_ISDIR(found[0]) else found

    def text(self, entry: Entry, path: str, largest: int) -> str:
        """Return a file's text; names the line where it stops being text."""
        mode, sha = entry
        if mode not in _REGULAR:
            raise unreadable(path, 0, _kind_of_entry(mode))
        blob = self._object(sha)
        data = blob.data if isinstance(blob, Blob) else b""
        if len(data) > largest:
            raise unreadable(path, 0, f"The file has {len(data):,} bytes; {largest:,} is the most.")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise unreadable(path, data.count(b"\n", 0, error.start) + 1, "This is not UTF-8 text.") from None
        if "\0" in text:
            raise unreadable(path, text.count("\n", 0, text.index("\0")) + 1, "This is a binary file.")
        return text


def _kind_of_entry(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "This is a symbolic link; write the prompt itself."
    if mode == 0o160000:
        return "This is a submodule; a repository of prompts holds prompts only."
    return f"This is not an ordinary file (mode {mode:o})."


def is_left_alone(path: str) -> bool:
    """Return whether a file is none of the library's business."""
    return path in _LEFT_ALONE or any(part.startswith(".") for part in path.split("/"))


def slug_of(path: str) -> str | None:
    """Return the slug a file stands for, None when its name is not one."""
    slug = path.removesuffix(SUFFIX)
    return slug if slug != path and len(slug) <= LONGEST_SLUG and SLUG.fullmatch(slug) else None


def path_of(slug: str) -> str:
    return f"{slug}{SUFFIX}"


def check_names(trees: Trees, tree: ObjectID | None) -> dict[str, Entry]:
    """Return the prompts' files of a tree by path; Unreadable names everything that is not one."""
    found: dict[str, Entry] = {}
    problems: list[Problem] = []
    for path, _, entry in trees.changed(None, tree):
        if entry is None or is_left_alone(path):
            continue
        if entry[0] not in _REGULAR:
            problems.append(Problem(path, 0, _kind_of_entry(entry[0])))
        elif slug_of(path) is None:
            problems.append(
                Problem(
                    path,
                    0,
                    "This cannot be a prompt's name; write lower-case letters, digits, hyphens and underscores, "
                    "ending in .md.",
                )
            )
        else:
            found[path] = entry
    if problems:
        raise Unreadable(problems)
    return found
