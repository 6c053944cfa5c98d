"""The differences of two texts by line, and by word within changed lines."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prompts_app.matching import Budget, Matcher, match_lines

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
# Lines less alike than this are told apart as a whole; pairing them word by word would be a riddle.
_ALIKE = 0.35
# More work than this, in characters compared, and a block's lines are paired in order: the best pairs take too long.
_MOST_WORK = 400_000
# Words of a longer line are not told apart.
_LONGEST_LINE = 4_000
CONTEXT = 3

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Side:
    """One line on one side; `spans` are the stretches that differ from its counterpart."""

    number: int
    text: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a side-by-side view. A missing side is a line the other has alone; both None never happens."""

    old: Side | None
    new: Side | None
    is_same: bool


@dataclass(frozen=True, slots=True)
class Fold:
    """Lines that are the same on both sides and left out."""

    count: int


def rows(old: str, new: str) -> list[Row]:
    """Return all lines of both texts, those that belong together side by side."""
    a, b = old.split("\n"), new.split("\n")
    found: list[Row] = []
    of_words = Budget()
    for tag, i1, i2, j1, j2 in match_lines(a, b).get_opcodes():
        if tag == "equal":
            found += [
                Row(Side(i + 1, a[i]), Side(j + 1, b[j]), True)
                for i, j in zip(range(i1, i2), range(j1, j2), strict=True)
            ]
            continue
        for i, j in _pairs(a[i1:i2], b[j1:j2], of_words):
            left = None if i is None else i1 + i
            right = None if j is None else j1 + j
            found.append(_row(a, b, left, right, of_words))
    return found


def _row(a: Sequence[str], b: Sequence[str], i: int | None, j: int | None, budget: Budget) -> Row:
    if i is None or j is None:
        return Row(None if i is None else Side(i + 1, a[i]), None if j is None else Side(j + 1, b[j]), False)
    left, right = _changed_words(a[i], b[j], budget)
    return Row(Side(i + 1, a[i], left), Side(j + 1, b[j], right), False)


def _pairs(a: Sequence[str], b: Sequence[str], budget: Budget) -> Iterator[tuple[int | None, int | None]]:
    """Yield which changed lines belong together, in order: the pairing that keeps most of what is alike."""
    if sum(map(len, a)) * len(b) + sum(map(len, b)) * len(a) + len(a) * len(b) > _MOST_WORK:
        for at in range(max(len(a), len(b))):
            yield (at if at < len(a) else None), (at if at < len(b) else None)
        return
    alike = [[_alike(x, y, budget) for y in b] for x in a]
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            paired = alike[i][j] + best[i + 1][j + 1] if alike[i][j] >= _ALIKE else 0.0
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    i = j = 0
    while i < len(a) or j < len(b):
        if i == len(a):
            yield None, j
            j += 1
        elif j == len(b):
            yield i, None
            i += 1
        elif alike[i][j] >= _ALIKE and best[i][j] == alike[i][j] + best[i + 1][j + 1]:
            yield i, j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            yield i, None
            i += 1
        else:
            yield None, j
            j += 1


def _alike(x: str, y: str, budget: Budget) -> float:
    if not x.strip() or not y.strip() or len(x) > _LONGEST_LINE or len(y) > _LONGEST_LINE:
        return 0.0
    matcher = Matcher(_WORD.findall(x), _WORD.findall(y), budget)
    return matcher.ratio() if matcher.quick_ratio() >= _ALIKE else 0.0


def _changed_words(x: str, y: str, budget: Budget) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Return the stretches of both lines that differ, as character positions."""
    if len(x) > _LONGEST_LINE or len(y) > _LONGEST_LINE:
        return ((0, len(x)),), ((0, len(y)),)
    a, b = _WORD.findall(x), _WORD.findall(y)
    at_a, at_b = _starts(a), _starts(b)
    left, right = [], []
    for tag, i1, i2, j1, j2 in Matcher(a, b, budget).get_opcodes():
        if tag != "equal":
            if i2 > i1:
                left.append((at_a[i1], at_a[i2]))
            if j2 > j1:
                right.append((at_b[j1], at_b[j2]))
    return tuple(left), tuple(right)


def _starts(words: Sequence[str]) -> list[int]:
    found = [0]
    for word in words:
        found.append(found[-1] + len(word))
    return found


def inline(all_rows: Sequence[Row | Fold]) -> list[Row | Fold]:
    """Return the rows for one column: what went away first, then what came, block by block."""
    found: list[Row | Fold] = []
    gone: list[Row | Fold] = []
    come: list[Row | Fold] = []
    for row in all_rows:
        if isinstance(row, Fold) or row.is_same:
            found += [*gone, *come, row]
            gone, come = [], []
            continue
        if row.old:
            gone.append(Row(row.old, None, False))
        if row.new:
            come.append(Row(None, row.new, False))
    return [*found, *gone, *come]


def folded(all_rows: Sequence[Row], context: int = CONTEXT) -> list[Row | Fold]:
    """Leave out what is the same, except a few lines around each change."""
    near = [False] * len(all_rows)
    for at, row in enumerate(all_rows):
        if not row.is_same:
            for other in range(max(0, at - context), min(len(all_rows), at + context + 1)):
                near[other] = True
    found: list[Row | Fold] = []
    hidden = 0
    for row, is_near in zip(all_rows, near, strict=True):
        if is_near:
            if hidden:
                found.append(Fold(hidden))
                hidden = 0
            found.append(row)
        else:
            hidden += 1
    return [*found, Fold(hidden)] if hidden else found


def counts(all_rows: Sequence[Row]) -> tuple[int, int]:
    """Return how many lines were added and how many taken away."""
    changed = [row for row in all_rows if not row.is_same]
    return sum(row.new is not None for row in changed), sum(row.old is not None for row in changed)


@dataclass(frozen=True, slots=True)
class Change:
    """One variable or parameter that is not what it was. `was` and `now` are None where there was none."""

    name: str
    was: Any
    now: Any

    @property
    def kind(self) -> str:
        if self.was is None:
            return "added"
        return "removed" if self.now is None else "changed"

    @property
    def fields(self) -> list[tuple[str, Any, Any]]:
        """Return (field, before, after) of what differs in a variable that both have."""
        if not isinstance(self.was, Mapping) or not isinstance(self.now, Mapping):
            return []
        names = dict.fromkeys([*self.was, *self.now])
        return [(n, self.was.get(n), self.now.get(n)) for n in names if self.was.get(n) != self.now.get(n)]


def variable_changes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[Change]:
    return mapping_changes({one["name"]: one for one in old}, {one["name"]: one for one in new})


def mapping_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    names = dict.fromkeys([*old, *new])
    return [Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
