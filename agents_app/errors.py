"""The refusals of agents."""

from collections.abc import Sequence

from console.core.errors import BadInput, Conflict, NotFound, NotSignedIn, Overtaken, Refusal


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
    message = "There is no such run."


class UnknownApproval(NotFound):
    code = "unknown_approval"
    message = "There is no such approval."


class UnknownBroker(NotFound):
    code = "unknown_broker"
    message = "There is no such broker."


class UnknownMessage(NotFound):
    code = "unknown_message"
    message = "There is no such message set aside."


class AlreadyDecided(Conflict):
    """Somebody was quicker, its time ran out, or what it asks about changed."""

    code = "already_decided"


class StaleAgent(Overtaken):
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


class UnknownTool(NotFound):
    code = "unknown_tool"
    message = "There is no such tool."


class UnknownTrigger(NotFound):
    code = "unknown_trigger"
    message = "There is no such trigger."


class UnknownStep(NotFound):
    code = "unknown_step"
    message = "The run has no such step."


class CannotGoOnFrom(Conflict):
    """Nothing can be asked again at this step; the message says where it can."""

    code = "cannot_go_on_from"


class Forgotten(Conflict):
    """What the run was given, read and said is past the retention of content."""

    code = "forgotten"
    message = (
        "What this run was given and said was removed at the end of the time content is kept"
        " (AUDIT_CONTENT_KEEP_DAYS), so it cannot be asked or run again."
    )


class TooDeep(Conflict):
    """Agents that call agents: one more would be too many."""

    code = "too_deep"

    def __init__(self, chain: Sequence[str], most: int) -> None:
        super().__init__(
            f"Agents have called each other {most} deep, which is the most: {' > '.join(chain)}."
            " Let one of them do its work without calling the next, or have AGENT_MOST_DEPTH raised."
        )


class UnknownServer(NotFound):
    code = "unknown_tool_server"
    message = "There is no such tool server."


class UnknownQueue(NotFound):
    code = "unknown_queue"
    message = "There is no such queue."


class UnknownItem(NotFound):
    code = "unknown_item"
    message = "There is no such item."


class StaleItem(Conflict):
    """Whoever speaks does not hold the item, or not any more."""

    code = "stale_item"

    def __init__(self, item_id: object) -> None:
        super().__init__(f"The item {str(item_id)[:60]} is not held with this receipt any more.")


class StaleTool(Overtaken):
    """Somebody changed the tool or its server in between."""

    code = "stale_tool"


class CannotExplain(Conflict):
    """There is no model to ask about a run: none decided anything, or the one that did is gone."""

    code = "cannot_explain"


class BadToken(NotSignedIn):
    """One answer for every kind of wrong, also for a webhook there is not."""

    code = "bad_token"
    message = "The bearer token of this delivery is missing, wrong or not good any more."


class TooManyDeliveries(Refusal):
    status, code, type = 429, "too_many_deliveries", "rate_limit_error"

    def __init__(self, most: int, retry_after: int) -> None:
        super().__init__(
            f"A token starts at most {most} deliveries a minute; try again later.", retry_after=retry_after
        )


class UnknownToken(NotFound):
    code = "unknown_token"
    message = "This webhook has no such token, or it has ended already."
