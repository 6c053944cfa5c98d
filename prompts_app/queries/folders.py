"""The folders of the library: prefixes of slugs, with counts."""

from dataclasses import dataclass, field

from django.db.models import CharField, Count, F, Func, QuerySet

from prompts_app.models import Prompt


@dataclass(slots=True)
class Folder:
    """One folder with all that lies below it. `children` are filled along the way to the open one only."""

    path: str
    count: int
    is_open: bool = False
    is_current: bool = False
    children: list["Folder"] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Tree:
    total: int
    here: int  # in the open folder and below it
    top: list[Folder]
    crumbs: list[tuple[str, str]]  # (path, name) of the open folder and those above it

    @property
    def children(self) -> list[Folder]:
        """Return the folders directly below the open one, which a narrow page shows instead of the tree."""
        level = self.top
        while opened := next((folder for folder in level if folder.is_open), None):
            level = opened.children
        return level


class _Folder(Func):
    """What stands before the last slash of a slug; empty at the top. Half the work of a regular expression."""

    template = "coalesce(left(%(expressions)s, -nullif(strpos(reverse(%(expressions)s), '/'), 0)), '')"
    output_field = CharField()


def tree(prompts: QuerySet[Prompt], current: str) -> Tree:
    """Return the folders as a tree, opened at `current`. One query, however many there are."""
    rows = prompts.order_by().annotate(path=_Folder(F("slug"))).values_list("path").annotate(count=Count("pk"))
    counts: dict[str, int] = {}
    total = 0
    for folder, count in rows:
        total += count
        while folder:
            counts[folder] = counts.get(folder, 0) + count
            folder = folder.rpartition("/")[0]
    return Tree(total, counts.get(current, 0) if current else total, _below("", counts, current), _crumbs(current))


def _below(parent: str, counts: dict[str, int], current: str) -> list[Folder]:
    found = []
    for path in sorted(path for path in counts if path.rpartition("/")[0] == parent):
        folder = Folder(path, counts[path], is_current=path == current)
        if current == path or current.startswith(path + "/"):
            folder.is_open = True
            folder.children = _below(path, counts, current)
        found.append(folder)
    return found


def _crumbs(current: str) -> list[tuple[str, str]]:
    parts = current.split("/") if current else []
    return [("/".join(parts[: end + 1]), name) for end, name in enumerate(parts)]
