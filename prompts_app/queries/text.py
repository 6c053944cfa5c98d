"""Text for pages: numbered lines, highlighted variables and partials, visible special characters."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from console.core import hidden_characters

# A form that counts, not one whose braces are written out; then characters that turn or hide what stands beside them.
_MARKED = re.compile(
    r"(?P<literal>\\\{\{)|(?P<include>\{\{>[^{}\n]*\}\})|(?P<var>\{\{[^{}\n]*\}\})"
    rf"|(?P<hidden>{hidden_characters.PATTERN})"
)
ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}


def title_of(role: str) -> str:
    return ROLES.get(role, role)


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters. `kind` is "", include, var, or hidden: a character that shows by its number only."""

    text: str
    kind: str = ""
    title: str = ""
    is_changed: bool = False


def pieces(text: str, spans: Sequence[tuple[int, int]] = ()) -> list[Piece]:
    """Return a line in pieces; those inside `spans` are marked as changed."""
    found: list[Piece] = []
    place = 0
    for match in _MARKED.finditer(text):
        kind = str(match.lastgroup)
        if kind != "literal":
            found += _cut(text, place, match.start(), "", spans)
            found += _cut(text, match.start(), match.end(), kind, spans)
            place = match.end()
    return found + _cut(text, place, len(text), "", spans)


def _cut(text: str, start: int, end: int, kind: str, spans: Sequence[tuple[int, int]]) -> list[Piece]:
    """Return a stretch of one kind, cut where changes begin and end."""
    ends = sorted({start, end, *(at for span in spans for at in span if start < at < end)})
    found = []
    for first, last in zip(ends, ends[1:], strict=False):
        is_changed = any(a <= first and last <= b for a, b in spans)
        if kind == "hidden":
            found.append(_hidden(text[first:last], is_changed))
        else:
            found.append(Piece(text[first:last], kind, "", is_changed))
    return found


def _hidden(character: str, is_changed: bool) -> Piece:
    return Piece(hidden_characters.number_of(character), "hidden", hidden_characters.name_of(character), is_changed)


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a version, or its only text when `role` is empty."""

    index: int
    role: str
    lines: list[Line]

    @property
    def title(self) -> str:
        return title_of(self.role)


def messages(content: Sequence[dict[str, Any]]) -> list[Message]:
    return [
        Message(index, str(one.get("role", "")), list(lines(str(one.get("text", "")))))
        for index, one in enumerate(content)
    ]


def lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        yield Line(number, pieces(line.removesuffix("\r")))
