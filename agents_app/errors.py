"""What agents refuse, and how that is said."""

from collections.abc import Sequence

from console.core.errors import BadInput, Conflict, NotFound


class UnknownAgent(NotFound):
    """The same whether it does not exist or belongs to others."""

    code = "unknown_agent"

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is no agent {slug[:60]!r}.")


class UnknownAgentVersion(NotFound):
    code = "unknown_agent_version"

    def __init__(self, slug: str, number: int) -> None:
        super().__init__(f"The agent {slug!r} has no version {number}.")


class StaleAgent(Conflict):
    """Somebody changed or published in between."""

    code = "stale_agent"


class StillUsed(Conflict):
    code = "still_used"


class NothingChanged(BadInput):
    code = "nothing_changed"


class NotReady(BadInput):
    """Everything that keeps a version from answering, at once."""

    code = "agent_not_ready"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("It cannot answer yet. " + " ".join(problems))
