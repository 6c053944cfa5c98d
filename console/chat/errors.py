"""The refusals of the chat page."""

from console.core.errors import BadInput, Conflict, NotFound


class UnknownConversation(NotFound):
    """It is not there, or not for this person: both look the same."""

    def __init__(self) -> None:
        super().__init__("There is no such conversation.")


class StillWriting(Conflict):
    """One answer at a time: two would not know of each other."""

    def __init__(self) -> None:
        super().__init__("The assistant is still writing. Wait for the answer or stop it, then send again.")


class CannotSend(BadInput):
    """What was typed cannot be sent as it is; the page keeps it."""
