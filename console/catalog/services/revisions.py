"""Notice that somebody else was quicker: a form remembers which state it showed."""

from console.catalog.models import Alias, ModelVersion, Provider
from console.core.errors import Conflict


def check_revision(row: Alias | ModelVersion | Provider, seen: int | None) -> None:
    """Refuse a change that was decided on an older state. None: nobody looked, as in a file that is applied."""
    if seen is not None and row.revision != seen:
        raise Conflict(
            f"Somebody changed {row} while this form was open, and your changes were not saved. "
            "The page shows it as it is now; look again and decide anew."
        )
