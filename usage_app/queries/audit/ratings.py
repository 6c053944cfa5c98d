"""Ratings for a record, a page of records and exports."""

import uuid
from collections.abc import Collection

from console.audit.models import Rating
from console.teams.callers import Caller


def ratings_of(identifiers: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Rating]]:
    """Return what was said of these calls, the oldest word first. One query."""
    found: dict[uuid.UUID, list[Rating]] = {}
    for rating in Rating.objects.filter(event_id__in=identifiers).order_by("given_at", "id"):
        found.setdefault(rating.event_id, []).append(rating)
    return found


def own_rating(caller: Caller, event_id: uuid.UUID) -> Rating | None:
    """Return what this person or key said of an answer."""
    who = caller.first_key or caller.actor.id
    if who is None:
        return None
    return Rating.objects.filter(event_id=event_id, rater_kind=caller.actor.kind, rater_id=who).first()
