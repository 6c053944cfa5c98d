"""Trees of a repository, which whoever may push to it makes."""

import pytest
from dulwich.object_store import MemoryObjectStore
from dulwich.objects import Blob, Tree

from prompts_app.git.problems import Unreadable
from prompts_app.git.trees import Trees, check_names


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
