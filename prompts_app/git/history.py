"""The history of each file, as `git log FILE` tells it: one line of steps, oldest first.

At a merge a file follows the parent it is equal to, so what was done on a branch keeps its author. Where the merge
itself changed the file, the merge is the step and the first parent is what it was before.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from dulwich.errors import MissingCommitError
from dulwich.objects import Commit, ObjectID
from dulwich.repo import BaseRepo

from prompts_app.git.problems import unreadable
from prompts_app.git.trees import Entry, Trees, is_left_alone

_MOST_COMMITS = 200_000
# Changes to files over all commits, some two hundred bytes each.
_MOST_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One commit's change to one file. `order` grows from parents to children."""

    order: int
    path: str
    commit: Commit
    before: Entry | None
    after: Entry | None

    @property
    def sha(self) -> str:
        return self.commit.id.decode()


@dataclass(slots=True)
class _Paths:
    """The files whose history runs through a commit: these, or all but these."""

    names: set[str] = field(default_factory=set)
    all_but: bool = False

    def __contains__(self, path: str) -> bool:
        return (path in self.names) != self.all_but

    def add(self, other: "_Paths") -> None:
        if not self.all_but and not other.all_but:
            self.names |= other.names
        elif self.all_but and other.all_but:
            self.names &= other.names
        elif self.all_but:
            self.names -= other.names
        else:
            self.names, self.all_but = other.names - self.names, True

    def without(self, names: set[str]) -> "_Paths":
        return _Paths(self.names | names if self.all_but else self.names - names, self.all_but)


def read_history(repo: BaseRepo, tip: ObjectID, known: Collection[ObjectID], trees: Trees) -> dict[str, list[Step]]:
    """Return the steps of every file by path, leaving out `known` commits and what came before them."""
    running: dict[ObjectID, _Paths] = {tip: _Paths(all_but=True)}
    steps: list[Step] = []
    for number, commit in enumerate(_commits(repo, tip, known)):
        here = running.pop(commit.id, None)
        if here is None:
            continue
        steps += _steps_of(trees, commit, here, running, order=-number)
        if len(steps) > _MOST_STEPS:
            raise unreadable(tip.decode(), 0, f"The history changes more than {_MOST_STEPS:,} files.")
    found: dict[str, list[Step]] = {}
    for step in sorted(steps, key=lambda s: s.order):
        found.setdefault(step.path, []).append(step)
    return found


def _commits(repo: BaseRepo, tip: ObjectID, known: Collection[ObjectID]) -> list[Commit]:
    if repo.get_shallow():
        raise unreadable(".", 0, "The clone is shallow; run `git fetch --unshallow` in it, then try again.")
    exclude = [sha for sha in known if sha in repo.object_store]
    try:
        walker = repo.get_walker(include=[tip], exclude=exclude, order="topo", max_entries=_MOST_COMMITS + 1)
        found = [entry.commit for entry in walker]
    except (KeyError, MissingCommitError):
        raise unreadable(".", 0, "The history has holes: a commit it names is not there.") from None
    if len(found) > _MOST_COMMITS:
        raise unreadable(tip.decode(), 0, f"The history has more than {_MOST_COMMITS:,} commits.")
    return found


def _steps_of(trees: Trees, commit: Commit, here: _Paths, running: dict[ObjectID, _Paths], *, order: int) -> list[Step]:
    """Return what this commit did to the files that run through it, and send each on to a parent."""
    parents = commit.parents
    first = trees.commit(parents[0]).tree if parents else None
    changed = [c for c in trees.changed(first, commit.tree) if c[0] in here and not is_left_alone(c[0])]
    elsewhere: set[str] = set()
    for parent in parents[1:]:
        tree = trees.commit(parent).tree
        equal = {path for path, _, after in changed if path not in elsewhere and trees.at(tree, path) == after}
        elsewhere |= equal
        running.setdefault(parent, _Paths()).add(_Paths(equal))
    if parents:
        running.setdefault(parents[0], _Paths()).add(here.without(elsewhere))
    return [Step(order, path, commit, a, b) for path, a, b in changed if path not in elsewhere]
