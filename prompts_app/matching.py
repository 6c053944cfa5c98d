"""Compare two texts in bounded time: difflib takes cubic time on repetitive ones."""

from collections.abc import Sequence
from difflib import Match, SequenceMatcher

# Equal pairs that are looked at, a second or so. Where it would be more, the two are taken to have nothing in common.
_MOST_PAIRS = 6_000_000
# From this many lines on, those that come up all the time do not anchor a comparison. Without that, a text of blank
# lines takes minutes.
_MANY_LINES = 1_000


class _TooMuch(Exception):
    pass


class Budget:
    """What comparing two texts may still take; the pairs of their lines share one."""

    def __init__(self) -> None:
        self.left = _MOST_PAIRS


class Matcher(SequenceMatcher[str]):
    """Gives up when its budget is used up."""

    a: Sequence[str]
    b: Sequence[str]
    b2j: dict[str, list[int]]
    matching_blocks: list[Match] | None

    def __init__(self, a: Sequence[str], b: Sequence[str], budget: Budget, *, autojunk: bool = False) -> None:
        super().__init__(None, a, b, autojunk=autojunk)
        self.has_given_up = False
        self._budget = budget

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        self._budget.left -= sum(1 + len(self.b2j.get(one, ())) for one in self.a[alo:ahi])
        if self._budget.left < 0:
            raise _TooMuch
        return super().find_longest_match(alo, ahi, blo, bhi)

    def get_matching_blocks(self) -> list[Match]:
        try:
            return super().get_matching_blocks()
        except _TooMuch:
            self.has_given_up = True
            self.matching_blocks = [Match(len(self.a), len(self.b), 0)]
            return self.matching_blocks


def match_lines(a: Sequence[str], b: Sequence[str]) -> Matcher:
    """Compare lines: at first with those that come up all the time, if there are few enough; else without them."""
    if len(b) <= _MANY_LINES:
        matcher = Matcher(a, b, Budget())
        matcher.get_matching_blocks()
        if not matcher.has_given_up:
            return matcher
    return Matcher(a, b, Budget(), autojunk=True)
