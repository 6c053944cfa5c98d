"""Two people changed the same text: what both began with, what they made of it, and what can be had of both.

The regions between the lines that all three have in common are looked at one by one: where only one side changed, its
lines count; where both did, it is a conflict, unless they did the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prompts_app.matching import match_lines

_SHOWN = 7


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of lines on each side. `kind` is same, theirs, mine, both (the same change) or conflict."""

    kind: str
    base: tuple[str, ...]
    theirs: tuple[str, ...]
    mine: tuple[str, ...]

    @property
    def merged(self) -> tuple[str, ...]:
        """Return what both can agree on; in a conflict, mine."""
        return self.theirs if self.kind == "theirs" else self.mine

    @property
    def base_text(self) -> str:
        return self._text(self.base)

    @property
    def theirs_text(self) -> str:
        return self._text(self.theirs)

    @property
    def mine_text(self) -> str:
        return self._text(self.mine)

    def _text(self, lines: tuple[str, ...]) -> str:
        """Return the lines as one text; of a long stretch that all have, only its ends."""
        if self.kind == "same" and len(lines) > _SHOWN:
            lines = (*lines[:2], f"… {len(lines) - 4} lines the same …", *lines[-2:])
        return "\n".join(lines)


def regions(base: str, theirs: str, mine: str) -> list[Region]:
    a, b, c = (text.split("\n") for text in (base, theirs, mine))
    found = []
    at = [0, 0, 0]
    for start, end, in_theirs, in_mine in _common(a, b, c):
        if (start, in_theirs, in_mine) != tuple(at):
            found.append(_region(a[at[0] : start], b[at[1] : in_theirs], c[at[2] : in_mine]))
        if end > start:
            same = tuple(a[start:end])
            found.append(Region("same", same, same, same))
        size = end - start
        at = [end, in_theirs + size, in_mine + size]
    return found


def _common(a: Sequence[str], b: Sequence[str], c: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield (start, end, place in theirs, place in mine) of the stretches of base that both kept, then the end."""
    to_theirs = match_lines(a, b).get_matching_blocks()
    to_mine = match_lines(a, c).get_matching_blocks()
    i = j = 0
    while i < len(to_theirs) and j < len(to_mine):
        x, y = to_theirs[i], to_mine[j]
        start, end = max(x.a, y.a), min(x.a + x.size, y.a + y.size)
        if start < end:
            yield start, end, x.b + start - x.a, y.b + start - y.a
        if x.a + x.size <= y.a + y.size:
            i += 1
        else:
            j += 1
    yield len(a), len(a), len(b), len(c)


def _region(base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]) -> Region:
    if theirs == mine:
        kind = "both"
    elif theirs == base:
        kind = "mine"
    elif mine == base:
        kind = "theirs"
    else:
        kind = "conflict"
    return Region(kind, tuple(base), tuple(theirs), tuple(mine))


def has_conflict(regions: Sequence[Region]) -> bool:
    return any(region.kind == "conflict" for region in regions)


def merge(regions: Sequence[Region]) -> str:
    """Return the text with both people's changes. Ask `has_conflict` first."""
    return "\n".join(line for region in regions for line in region.merged)
