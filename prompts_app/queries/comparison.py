"""Compare two versions, and prepare the three sides of a concurrent change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prompts_app import diff, three_way
from prompts_app.diff import Change, Fold
from prompts_app.models import PromptVersion
from prompts_app.queries.text import Piece, pieces, title_of
from prompts_app.three_way import Region


@dataclass(frozen=True, slots=True)
class Cell:
    """One line as one column shows it."""

    number: int
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row of a diff: `kind` is same, change, old (only on the left), new, or fold with how many lines it hides."""

    kind: str
    old: Cell | None = None
    new: Cell | None = None
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class MessageDiff:
    index: int
    title: str
    note: str  # when the role changed, or the message is new or gone
    rows: list[ShownRow]


@dataclass(frozen=True, slots=True)
class Comparison:
    old: PromptVersion | None
    new: PromptVersion
    messages: list[MessageDiff]
    added: int
    removed: int
    variables: list[Change]
    parameters: list[Change]

    @property
    def is_same(self) -> bool:
        return not (self.added or self.removed or self.variables or self.parameters)


def compare(old: PromptVersion | None, new: PromptVersion, *, is_inline: bool, is_folded: bool = False) -> Comparison:
    """Return how two versions of a prompt differ; without an old one everything is new."""
    was: list[dict[str, Any]] = old.content if old else []
    found, added, removed = [], 0, 0
    for index in range(max(len(was), len(new.content))):
        before = was[index] if index < len(was) else None
        after = new.content[index] if index < len(new.content) else None
        rows = _rows(before, after)
        plus, minus = diff.counts(rows)
        added, removed = added + plus, removed + minus
        shown: Sequence[diff.Row | Fold] = diff.folded(rows) if is_folded else rows
        shown = diff.inline(shown) if is_inline else shown
        found.append(MessageDiff(index, *_titles(before, after), [_shown_row(row) for row in shown]))
    return Comparison(
        old,
        new,
        found,
        added,
        removed,
        diff.variable_changes(old.variables if old else [], new.variables),
        diff.mapping_changes(old.parameters if old else {}, new.parameters),
    )


def compare_texts(title: str, old: str, new: str) -> MessageDiff:
    """Return how two texts differ, in one column, with what is the same left out."""
    rows = _rows({"text": old} if old else None, {"text": new} if new else None)
    return MessageDiff(0, title, "", [_shown_row(row) for row in diff.inline(diff.folded(rows))])


def compare_sides(old: str, new: str) -> tuple[MessageDiff, MessageDiff]:
    """Return how two texts differ, in two columns and in one, with what is the same left out."""
    rows = diff.folded(diff.rows(old, new))
    wide, narrow = ([_shown_row(row) for row in each] for each in (rows, diff.inline(rows)))
    return MessageDiff(0, "", "", wide), MessageDiff(0, "", "", narrow)


def _rows(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[diff.Row]:
    if before is None and after is not None:
        return [diff.Row(None, diff.Side(n, line), False) for n, line in enumerate(after["text"].split("\n"), 1)]
    if after is None and before is not None:
        return [diff.Row(diff.Side(n, line), None, False) for n, line in enumerate(before["text"].split("\n"), 1)]
    assert before is not None and after is not None
    return diff.rows(before["text"], after["text"])


def _titles(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[str, str]:
    role = (after or before or {}).get("role", "")
    if not role:
        return "", ""
    if before is None:
        return title_of(role), "new message"
    if after is None:
        return title_of(role), "message taken out"
    return title_of(role), f"was {title_of(before['role'])}" if before["role"] != role else ""


def _shown_row(row: diff.Row | Fold) -> ShownRow:
    if isinstance(row, Fold):
        return ShownRow("fold", hidden=row.count)
    old = Cell(row.old.number, pieces(row.old.text, row.old.spans)) if row.old else None
    new = Cell(row.new.number, pieces(row.new.text, row.new.spans)) if row.new else None
    kind = "same" if row.is_same else "change" if old and new else "old" if old else "new"
    return ShownRow(kind, old, new)


@dataclass(frozen=True, slots=True)
class SidesOfMessage:
    index: int
    title: str
    regions: list[Region]


@dataclass(frozen=True, slots=True)
class Sides:
    """A text two people changed: what both began with, what was saved meanwhile, and what was typed."""

    base: PromptVersion
    theirs: PromptVersion
    messages: list[SidesOfMessage]
    is_mergeable: bool
    variables: list[Change]

    @property
    def conflicts(self) -> int:
        return sum(region.kind == "conflict" for message in self.messages for region in message.regions)


def sides(base: PromptVersion, theirs: PromptVersion, mine: Sequence[dict[str, str]]) -> Sides:
    counts = {len(base.content), len(theirs.content), len(mine)}
    found = []
    for index in range(max(counts)):
        texts = [_text(content, index) for content in (base.content, theirs.content, mine)]
        role = mine[index]["role"] if index < len(mine) else ""
        found.append(SidesOfMessage(index, title_of(role), three_way.regions(*texts)))
    conflicts = any(three_way.has_conflict(one.regions) for one in found)
    return Sides(
        base,
        theirs,
        found,
        is_mergeable=len(counts) == 1 and not conflicts,
        variables=diff.variable_changes(base.variables, theirs.variables),
    )


def _text(content: Sequence[dict[str, Any]], index: int) -> str:
    return str(content[index]["text"]) if index < len(content) else ""
