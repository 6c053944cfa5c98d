"""The report of an import, for people, the log of syncs and the JSON API."""

from dataclasses import asdict, dataclass, field
from typing import Any

from prompts_app.diff import CONTEXT
from prompts_app.git.document import Document, to_markdown
from prompts_app.matching import match_lines


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
        message = f": {self.message.splitlines()[0]}" if self.message else ""
        return f"{'+' if self.is_new else '~'} {what} by {self.author}{message} (commit {self.commit[:10]})"


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
    found = [f"--- {f'a/{path}' if before else '/dev/null'}", f"+++ b/{path}"]
    for group in match_lines(old, new).get_grouped_opcodes(CONTEXT):
        (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
        found.append(f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@")
        for tag, a1, a2, b1, b2 in group:
            found += [f" {line}" for line in old[a1:a2] if tag == "equal"]
            found += [f"-{line}" for line in old[a1:a2] if tag != "equal"]
            found += [f"+{line}" for line in new[b1:b2] if tag != "equal"]
    return found if len(found) > 2 else []


def _range(begin: int, end: int) -> str:
    """Return lines as a unified diff counts them: from 1, and those before it where there are none."""
    count = end - begin
    return f"{begin + 1}" if count == 1 else f"{begin + bool(count)},{count}"
