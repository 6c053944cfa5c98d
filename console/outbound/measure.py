"""Estimate from its bytes, as they arrive, how much memory a JSON body would take.

Two letters of a list can cost the reader that makes checked objects of them two kilobytes and some microseconds: five
megabytes of `1,` are gigabytes and most of a minute. So values are counted, not only bytes. Texts are not looked into.
"""

import re

from console.core.errors import ProviderError

_TEXT = re.compile(rb'(?:[^"\\\r\n]++|\\[^\r\n])*+')
_BETWEEN = b",[{"
_LINE_ENDS = (b"\r", b"\n")


class Budget:
    """What all answers of a visit may hold together."""

    def __init__(self, most: int) -> None:
        self.values = most
        self.texts = 4 * most  # a value has a name and may be a text; without any, there is nothing between texts

    def check(self) -> None:
        if self.values < 0 or self.texts < 0:
            raise ProviderError("The answers hold more values than are read.", code="upstream_too_large")


class Measure:
    """Counts the values of one answer: JSON in UTF-8, or events of which each line holds some."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._is_text = self._is_escaped = False

    def feed(self, piece: bytes) -> None:
        """Count what has arrived; raises ProviderError when it is too much."""
        at, end, budget = 0, len(piece), self._budget
        if self._is_escaped and piece:
            self._is_escaped, self._is_text, at = False, piece[:1] not in _LINE_ENDS, 1
        while at < end:
            if self._is_text:
                at = self._skip(piece, at)
                continue
            quote = piece.find(b'"', at)
            plain = piece[at : end if quote < 0 else quote]
            budget.values -= len(plain) - len(plain.translate(None, _BETWEEN))
            budget.texts -= 1
            budget.check()
            self._is_text, at = quote >= 0, at + len(plain) + 1

    def _skip(self, piece: bytes, at: int) -> int:
        """Return where reading continues behind a text, or behind the part of it that is here."""
        match = _TEXT.match(piece, at)
        assert match is not None
        at = match.end()
        if at < len(piece):
            if piece[at : at + 1] == b"\\" and at + 1 == len(piece):  # what it stands before has yet to come
                self._is_escaped = True
            else:
                self._is_text = False  # a quotation mark, or the end of a line, which no text of JSON goes beyond
        return at + 1
