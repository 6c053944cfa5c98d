"""Problems of a repository's files, with the place of each."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dulwich import errors

from console.core.errors import BadInput

_DAMAGE = (
    errors.ApplyDeltaError,
    errors.ChecksumMismatch,
    errors.FileFormatException,
    errors.ObjectMissing,
    errors.WrongObjectException,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend; `line` counts from 1 and is 0 when the whole file is meant."""

    path: str
    line: int
    sentence: str
    commit: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.sentence}" + (f" (commit {self.commit[:10]})" if self.commit else "")


class Unreadable(BadInput):
    """A file, or a repository, outside the schema: all of its problems at once."""

    code = "unreadable_repository"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@contextmanager
def told_of_damage() -> Iterator[None]:
    """Say in our words that a repository's own files are broken."""
    try:
        yield
    except (*_DAMAGE, zlib.error) as error:
        raise BadInput(
            f"The repository is damaged ({type(error).__name__}); `git fsck` in it says where.", param="address"
        ) from None


def unreadable(path: str, line: int, sentence: str) -> Unreadable:
    return Unreadable([Problem(path, line, sentence)])
