"""What an import did or would do, for people, the log of syncs and the JSON face."""

import difflib
from dataclasses import asdict, dataclass, field
from typing import Any

from prompts_app.git.document import Document, to_markdown


@dataclass(frozen=True, slots=True)
class Change:
    """One commit's change to one prompt. `number` is 0 when only what is said of the prompt changed."""

    slug: str
    number: int
    is_new: bool
    author: str
    message: str
    commit: str
    diff: list[str]

    def __str__(self) -> str:
        what = f"{self.slug}@{self.number}" if self.number else f"{self.slug} settings"
        said = f": {self.message.splitlines()[0]}" if self.message else ""
        return f"{'+' if self.is_new else '~'} {what} by {self.author}{said} (commit {self.commit[:10]})"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file that was left alone, why, and what can be done. `kind`: edited, deleted, removed or unrelated."""

    kind: str
    slug: str
    commit: str
    author: str
    sentence: str
    head: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Imported:
    """What came of reading a repository. `notes` are remarks that stop nothing."""

    tip: str = ""
    changes: list[Change] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def versions(self) -> int:
        return sum(1 for change in self.changes if change.number)


def diff(before: Document | None, after: Document, path: str) -> list[str]:
    """Return the lines of a unified diff of two files."""
    old = to_markdown(before).splitlines() if before else []
    new = to_markdown(after).splitlines()
    return list(difflib.unified_diff(old, new, f"a/{path}" if before else "/dev/null", f"b/{path}", lineterm=""))
