"""Split a text into passages of about 1,200 characters, by headings and paragraphs."""

import re
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 1_200
_LONGEST_PATH = 300
JOINT = " › "

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*)")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
# Where a paragraph that is too long is cut: after a sentence if there is one, else between words.
_SENTENCE = re.compile(r"[.!?…][\"')\]”’]?\s+")


class Piece(NamedTuple):
    heading: str  # the path of headings it stands under
    text: str


def pieces_of(text: str, *, has_headings: bool = True) -> list[Piece]:
    """Return the passages of a text in their order. What stands under a heading is never mixed with another's."""
    found: list[Piece] = []
    for heading, paragraphs in _sections(text, has_headings):
        held = ""
        for part in (part for paragraph in paragraphs for part in _cut(paragraph)):
            if held and len(held) + 2 + len(part) > LONGEST:
                found.append(Piece(heading, held))
                held = ""
            held = f"{held}\n\n{part}" if held else part
        if held:
            found.append(Piece(heading, held))
    return found


def _sections(text: str, has_headings: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield each stretch under one path of headings, as paragraphs; stretches without words are left out."""
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fence = ""

    def section() -> tuple[str, list[str]]:
        return JOINT.join(name for _, name in path)[:_LONGEST_PATH], list(_paragraphs(lines))

    def begin(level: int, name: str) -> None:
        while path and path[-1][0] >= level:
            path.pop()
        if name:
            path.append((level, name[:_LONGEST_PATH]))

    for line in text.split("\n"):
        if (mark := _FENCE.match(line)) and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else mark[1]
        if fence or not has_headings:
            lines.append(line)
            continue
        if title := _HEADING.fullmatch(line.rstrip()):
            yield section()
            lines = []
            begin(len(title[1]), _plain(title[2]))
        elif _is_underlined(lines, line):
            name = _plain(lines.pop())
            yield section()
            lines = []
            begin(1 if line[0] == "=" else 2, name)
        else:
            lines.append(line)
    yield section()


def _is_underlined(before: list[str], line: str) -> bool:
    """Return whether a line makes the one before it a heading: a single line of words after a blank one."""
    if not before or not _UNDERLINE.fullmatch(line) or len(line.strip()) < 3:
        return False
    return bool(before[-1].strip()) and "|" not in before[-1] and (len(before) == 1 or not before[-2].strip())


def _plain(title: str) -> str:
    return " ".join(title.strip().rstrip("#").replace("*", "").replace("`", "").split())


def _paragraphs(lines: list[str]) -> Iterator[str]:
    held: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            held.append(line.rstrip())
        elif held:
            yield "\n".join(held)
            held = []


def _cut(paragraph: str) -> Iterator[str]:
    """Yield a paragraph in parts of at most LONGEST characters, cut where it reads best."""
    rest = paragraph
    while len(rest) > LONGEST:
        end = _best_end(rest)
        yield rest[:end].rstrip()
        rest = rest[end:].lstrip()
    if rest:
        yield rest


def _best_end(text: str) -> int:
    """Return where to cut: the last line's end, sentence's end or blank in the second half of what fits."""
    half = LONGEST // 2
    if (line := text.rfind("\n", half, LONGEST)) > 0:
        return line
    if ends := [found.end() for found in _SENTENCE.finditer(text, half, LONGEST)]:
        return ends[-1]
    blank = text.rfind(" ", half, LONGEST)
    return blank if blank > 0 else LONGEST
