"""Append commits to a history in memory; the objects are written in packs, and no ref moves here."""

from collections.abc import Mapping

from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.repo import BaseRepo

from prompts_app.git.signing import HOUSE
from prompts_app.git.trees import Entry, Trees

_FILE, _FOLDER = 0o100644, 0o040000
_AT_ONCE = 20_000


class Appender:
    """Grows a history from `tip` by one commit at a time."""

    def __init__(self, repo: BaseRepo, tip: ObjectID | None) -> None:
        self.repo, self.tip = repo, tip
        self.trees = Trees(repo.object_store)
        root = self.trees.commit(tip).tree if tip else None
        # Folders as they are now: by path, entries by name. Filled as they are touched.
        self._folders: dict[str, dict[bytes, Entry]] = {"": dict(self.trees.entries(root))}
        self._fresh: dict[ObjectID, ShaFile] = {}
        self.count = 0

    def commit(
        self, files: Mapping[str, str | None], *, author: bytes, at: int, message: bytes
    ) -> tuple[ObjectID, str]:
        """Add a commit that writes these files, or removes those that are None; return its sha and the last blob's."""
        blob_sha = ""
        for path, text in files.items():
            blob_sha = self._put(path, text)
        commit = Commit()
        commit.tree = self._root()
        commit.parents = [self.tip] if self.tip else []
        commit.author, commit.committer = author, HOUSE
        commit.author_time = commit.commit_time = at
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        commit.message = message
        self._add(commit)
        self.tip, self.count = commit.id, self.count + 1
        if len(self._fresh) > _AT_ONCE:
            self.flush()
        return commit.id, blob_sha

    def flush(self) -> None:
        """Write what was made so far into the repository."""
        if self._fresh:
            self.repo.object_store.add_objects([(made, None) for made in self._fresh.values()])
            self._fresh.clear()

    def _add(self, made: ShaFile) -> ObjectID:
        self._fresh[made.id] = made
        return made.id

    def _folder(self, path: str) -> dict[bytes, Entry]:
        found = self._folders.get(path)
        if found is None:
            above, _, name = path.rpartition("/")
            entry = self._folder(above).get(name.encode())
            is_folder = entry is not None and entry[0] == _FOLDER
            found = self._folders[path] = dict(self.trees.entries(entry[1])) if entry and is_folder else {}
        return found

    def _put(self, path: str, text: str | None) -> str:
        folder, _, name = path.rpartition("/")
        here = self._folder(folder)
        blob_sha = ""
        if text is None:
            here.pop(name.encode(), None)
        else:
            blob_sha = self._add(Blob.from_string(text.encode())).decode()
            here[name.encode()] = (_FILE, ObjectID(blob_sha.encode()))
        while folder:
            above, _, name = folder.rpartition("/")
            if tree := self._tree(folder):
                self._folder(above)[name.encode()] = (_FOLDER, tree)
            else:
                self._folder(above).pop(name.encode(), None)
            folder = above
        return blob_sha

    def _tree(self, folder: str) -> ObjectID | None:
        """Write a folder's tree; None when it is empty, since git keeps no empty folders."""
        entries = self._folder(folder)
        if not entries:
            return None
        tree = Tree()
        for name, (mode, sha) in entries.items():
            tree.add(name, mode, sha)
        return self._add(tree)

    def _root(self) -> ObjectID:
        return self._tree("") or self._add(Tree())
