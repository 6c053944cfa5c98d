"""What is wrong with a repository, so that whoever wrote it finds the place."""

from dataclasses import dataclass

from console.core.errors import BadInput


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


def unreadable(path: str, line: int, sentence: str) -> Unreadable:
    return Unreadable([Problem(path, line, sentence)])
