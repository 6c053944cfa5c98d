"""Notice that somebody else was quicker: a form remembers which state it showed."""

from console.catalog.models import Alias, ModelVersion, Provider
from console.core.errors import Overtaken


def check_revision(row: Alias | ModelVersion | Provider, seen: int | None) -> None:
    """Refuse a change that was decided on an older state. None: nobody looked, as in a file that is applied."""
    if seen is not None and row.revision != seen:
        raise Overtaken(f"Somebody changed {row} after you opened it. Look again and decide anew.")
