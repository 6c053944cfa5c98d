"""Trees of a repository, which whoever may push to it makes."""

from pathlib import Path

import pytest
from dulwich.object_store import MemoryObjectStore
from dulwich.objects import Blob, ObjectID, Tree
from dulwich.repo import Repo

from console.core.errors import BadInput
from prompts_app.git import history, trees
from prompts_app.git.history import read_history
from prompts_app.git.problems import Unreadable
from prompts_app.git.trees import Trees, check_names
from tests.prompts.git.git import git


def test_a_few_trees_that_mean_millions_of_files_are_refused() -> None:
    store, inner = MemoryObjectStore(), Blob.from_string(b"Be brief.")
    store.add_object(inner)
    mode, ending = 0o100644, b".md"
    for level in range(6):
        tree = Tree()
        for letter in b"abcdefghij":
            tree.add(bytes([letter]) + ending, mode, inner.id)
        store.add_object(tree)
        mode, ending, inner = 0o040000, b"", tree
        if level == 1:
            assert len(check_names(Trees(store), tree.id)) == 100
    with pytest.raises(Unreadable, match="more than 200,000 files"):
        check_names(Trees(store), tree.id)


def test_a_history_that_changes_the_same_files_over_and_over_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit costs a hundred bytes to write; the changes it means cost hundreds of megabytes to keep."""
    git(tmp_path, "init", "--quiet")
    for name in ("a.md", "b.md", "c.md"):
        (tmp_path / name).write_text("Be brief.")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=All of it")
    git(tmp_path, "rm", "--quiet", "*.md")
    git(tmp_path, "commit", "--quiet", "--message=None of it")
    tip = ObjectID(git(tmp_path, "rev-parse", "HEAD").strip().encode())
    repo = Repo(str(tmp_path))
    try:
        monkeypatch.setattr(history, "_MOST_STEPS", 6)
        assert [len(steps) for steps in read_history(repo, tip, (), Trees(repo.object_store)).values()] == [2, 2, 2]
        monkeypatch.setattr(history, "_MOST_STEPS", 5)
        with pytest.raises(Unreadable, match="The history changes more than 5 files"):
            read_history(repo, tip, (), Trees(repo.object_store))
        monkeypatch.setattr(history, "_MOST_COMMITS", 1)
        with pytest.raises(Unreadable, match="The history has more than 1 commits"):
            read_history(repo, tip, (), Trees(repo.object_store))
        with pytest.raises(BadInput, match="takes longer than 0 minutes to read"):
            check_names(Trees(repo.object_store, minutes=0), Trees(repo.object_store).commit(tip).parents[0])
    finally:
        repo.close()


def test_it_keeps_no_more_of_trees_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_MOST_KEPT", 30)
    store, reader = MemoryObjectStore(), None
    made = []
    for turn in range(4):
        tree = Tree()
        for number in range(10):
            tree.add(b"p%d-%d.md" % (turn, number), 0o100644, ObjectID(b"1" * 40))
        store.add_object(tree)
        made.append(tree.id)
    reader = Trees(store)
    for sha in (*made, *made):
        assert len(reader.entries(sha)) == 10
    assert len(reader._read) <= 2
