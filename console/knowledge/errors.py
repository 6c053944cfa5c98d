"""The refusals of the knowledge room."""

from console.core.errors import BadInput, Conflict, NotFound, Overtaken


class UnknownCollection(NotFound):
    code = "unknown_collection"

    def __init__(self, ref: str = "") -> None:
        which = f"There is no collection {ref[:100]!r} of this team or of the whole organisation."
        super().__init__(which if ref else "There is no such collection.", param="knowledge" if ref else None)


class UnknownDocument(NotFound):
    code = "unknown_document"
    message = "There is no such document in this collection."


class UnknownDocumentVersion(NotFound):
    code = "unknown_version"

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"{name} has no version {number}.", param="version")


class StaleDocument(Overtaken):
    """Somebody saved since the form was opened."""

    code = "stale_document"


class StaleCollection(Overtaken):
    code = "stale_collection"


class StillUsed(Conflict):
    code = "collection_in_use"


class NothingChanged(BadInput):
    code = "nothing_changed"


class CannotUse(BadInput):
    """A file or text that cannot become a document; the message says why and what to do."""

    code = "unreadable_document"
