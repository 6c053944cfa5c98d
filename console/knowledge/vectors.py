"""Create missing vectors of passages, many at a time, in the batch lane.

1. Claim the collection: one conditional update, with a lease. Whoever does not get it leaves; two at once pay twice.
2. Read some passages of current versions without a vector, and let the connection go.
3. Ask the collection's model, as the installation, charged to the team that pays.
4. Write the vectors, unless the collection has another model by now, and renew the lease.

A lot that the model refuses is asked for in halves, until the passage it does not take is found. The others go on.

Every lot is committed, so whoever continues after a crash begins where the last lot ended. What goes wrong is written
on the collection, for people, and tried again later; a search finds those passages by their words meanwhile.
"""

import datetime as dt
import uuid
from collections.abc import Iterable

from django.conf import settings
from django.db.models import F, Q

from console.core.clock import now
from console.core.connections import let_go
from console.core.errors import BadInput, ProviderError, Refusal
from console.core.formatting import plural
from console.core.lanes import Lane
from console.gateway import sync
from console.knowledge import sql
from console.knowledge.embedding import SURFACE, CallOrigin, TeamIdentity, embed
from console.knowledge.models import Collection, Passage

LOT = 64
# Longer than any call may take: whoever came in meanwhile would pay for the same passages again.
LEASE = dt.timedelta(seconds=settings.GATEWAY_TOTAL_SECONDS + 60)
# Until the next try, twice as long after each that failed, for a failed call may be paid for too.
RETRY, LONGEST_RETRY = dt.timedelta(minutes=5), dt.timedelta(hours=1)
# Lots of one turn; then other collections have theirs.
_MOST_LOTS = 50
# Passages a turn goes around: more are no accident, and each takes some calls to find.
_MOST_REFUSED = 20
_REFUSED_INPUT = frozenset({400, 413, 422})
_ASKED = CallOrigin(surface=SURFACE, route="vectors of passages", lane=Lane.BATCH)


def make_vectors(collection_id: uuid.UUID) -> bool:
    """Work on one collection for a turn; returns whether there is more to do at once."""
    collection = _claimed(collection_id)
    if collection is None:
        return False
    problem, is_done = "The vectors could not be kept; the log of the worker says why.", False
    refused: dict[int, str] = {}
    lots, size = 0, LOT
    try:
        while lots < _MOST_LOTS and len(refused) < _MOST_REFUSED:
            passages = _lacking(collection, refused)[:size]
            is_done = not passages
            if is_done or not _is_still_held(collection):
                break
            try:
                _make_lot(collection, passages)
            except (Refusal, ProviderError) as error:
                if not _is_of_input(error):
                    raise
                if len(passages) == 1:
                    refused[passages[0].pk] = f"{_name_of(passages[0])}: {error.message}"
                size = max(1, len(passages) // 2)
            else:
                collection.failures, lots, size = 0, lots + 1, min(LOT, size * 2)
        problem = _refusals(list(refused.values()))
    except (Refusal, ProviderError) as error:
        problem = error.message
    finally:
        _let_free(collection, problem)
    return not is_done and not problem


def _is_of_input(error: Refusal | ProviderError) -> bool:
    """Return whether the model refuses what it was given: then it may take a part of it, and the rest is named."""
    if isinstance(error, ProviderError):
        return error.upstream_status in _REFUSED_INPUT
    return isinstance(error, BadInput)


def _name_of(passage: Passage) -> str:
    return " › ".join(part for part in (passage.title, passage.heading) if part)


def _refusals(refused: list[str]) -> str:
    if not refused:
        return ""
    others = f" {plural(len(refused) - 1, 'more passage')} refused as well." if len(refused) > 1 else ""
    return f"The model refused a passage, which is found by its words alone: {refused[0][:380]}{others}"


def _claimed(collection_id: uuid.UUID) -> Collection | None:
    mine = now() + LEASE
    free = Q(held_until=None) | Q(held_until__lte=now())
    if not Collection.objects.filter(free, pk=collection_id, deleted_at=None, model__isnull=False).update(
        held_until=mine
    ):
        return None
    return Collection.objects.select_related("model__provider").get(pk=collection_id)


def _is_still_held(collection: Collection) -> bool:
    """Renew the lease; False when somebody else took it, or the collection has another model or is gone."""
    mine = now() + LEASE
    ours = Collection.objects.filter(
        pk=collection.pk, held_until=collection.held_until, model=collection.model, deleted_at=None
    )
    if not ours.update(held_until=mine):
        return False
    collection.held_until = mine
    return True


def _lacking(collection: Collection, refused: Iterable[int]) -> list[Passage]:
    """Return the next passages of current versions without a vector, but for those that were refused in this turn."""
    of_current = Passage.objects.filter(version__document__current=F("version"), version__document__deleted_at=None)
    found = of_current.filter(embedding=None, version__document__collection=collection).exclude(pk__in=list(refused))
    return list(found.order_by("version", "position").only("id", "title", "heading", "text")[:LOT])


def _make_lot(collection: Collection, passages: list[Passage]) -> None:
    if collection.model is None or collection.payer_id is None:
        raise AssertionError("A collection without a model is not claimed.")
    let_go()
    texts = [passage_text(passage) for passage in passages]
    made = sync.run(embed(TeamIdentity(collection.payer_id), collection.model, texts, _ASKED))
    ids = [passage.pk for passage in passages]
    sql.write_vectors(collection.pk, dict(zip(ids, made.vectors, strict=True)), collection.model.pk)


def passage_text(passage: Passage) -> str:
    """Return what the model reads of a passage: what it stands under belongs to what it means."""
    return "\n".join(part for part in (passage.title, passage.heading, passage.text) if part)


def _let_free(collection: Collection, problem: str) -> None:
    wait = min(RETRY * 2 ** min(collection.failures, 10), LONGEST_RETRY)
    Collection.objects.filter(pk=collection.pk, held_until=collection.held_until).update(
        held_until=None,
        problem=problem[:500],
        retry_at=now() + wait if problem else None,
        failures=min(collection.failures + 1, 1_000) if problem else 0,
    )
