"""Handle concurrent changes of the same rows: neither we nor the caller made a mistake.

Who changes something holds its row until commit (`hold`), with `no_key=True`: a plain lock also keeps off rows that
speak of it, whose writers hold the epoch by then, which the first will want. The two would wait for each other.
"""

from typing import TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.db.models import Model, QuerySet

from console.core.errors import Conflict, Gone, Refusal, Unavailable

_M = TypeVar("_M", bound=Model)
_DEADLOCK, _FOREIGN_KEY = "40P01", "23503"


def hold(row: _M, *related: str) -> _M:
    """Return a row as it is now, ours until commit, with the rows it points at by these names."""
    rows = row.__class__._default_manager.select_for_update(no_key=True, of=("self",))
    return (rows.select_related(*related) if related else rows).get(pk=row.pk)


def count_held(rows: QuerySet[_M]) -> int:
    """Count rows before one is added to them; whoever adds another waits for our commit. Of no rows, nobody does."""
    list(rows.order_by("created_at", "id").select_for_update(no_key=True).values_list("pk"))
    return rows.count()  # as it is now that others are done


def insert(row: Model, refusal: Refusal) -> None:
    """Save a new row; raise `refusal` if there is one with its name already. The surrounding transaction continues."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise refusal from None


def lost(error: BaseException) -> Refusal | None:
    """Return what to answer when a change broke on somebody else's; None for every other error."""
    if isinstance(error, ObjectDoesNotExist):  # whoever looks up for somebody says otherwise: it was there then
        return Gone()
    if type(error) is DatabaseError and error.__cause__ is None:  # Django's own: a `save` of a row found it gone
        return Gone()
    state = getattr(error.__cause__, "sqlstate", None)
    if isinstance(error, OperationalError) and state == _DEADLOCK:
        return Unavailable("Somebody else is changing the same things; nothing was changed, try again.", retry_after=1)
    if isinstance(error, IntegrityError) and state == _FOREIGN_KEY:
        return Conflict("Somebody else has just removed something this needs, or made something that needs it.")
    return None
