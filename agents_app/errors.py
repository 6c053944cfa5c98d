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


class UnknownRun(NotFound):
    code = "unknown_run"

    def __init__(self) -> None:
        super().__init__("There is no such run.")


class UnknownApproval(NotFound):
    code = "unknown_approval"

    def __init__(self) -> None:
        super().__init__("There is no such approval.")


class AlreadyDecided(Conflict):
    """Somebody was quicker, its time ran out, or what it asks about changed."""

    code = "already_decided"


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
