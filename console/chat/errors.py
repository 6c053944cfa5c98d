"""The refusals of the chat and its widgets."""

from console.core.errors import BadInput, Conflict, NotFound, Overtaken


class UnknownConversation(NotFound):
    """It is not there, or not for this person: both look the same."""

    message = "There is no such conversation."


class UnknownWidget(NotFound):
    """It is not there, or of another team: both look the same."""

    code = "unknown_widget"
    message = "There is no such widget."


class StaleWidget(Overtaken):
    """Somebody changed the widget while a form was open."""

    code = "stale_widget"


class StillWriting(Conflict):
    """One answer at a time: two would not know of each other."""

    message = "The assistant is still writing. Wait for the answer or stop it, then send again."


class TakenByOther(Conflict):
    """A person of the team answers this visitor, and not the one who tries."""

    code = "taken_by_other"


class CannotSend(BadInput):
    """What was typed cannot be sent as it is; the page keeps it."""
