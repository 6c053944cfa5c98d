"""Count ratings of answers by the version of the prompt."""

import json
from decimal import Decimal

from django.db.models import F, Q

from console.audit.models import AuditEvent, EventType
from console.audit.services.ratings import Changed, Word
from prompts_app import sql
from prompts_app.models import Prompt


def count_rating(event: AuditEvent, changed: Changed) -> None:
    """Move the counts of the version a call named, in the transaction of the rating. Trials are not counted."""
    if not event.prompt.startswith('[{"slug"') or event.surface in sql.TRIALS or event.type == EventType.SHADOW:
        return
    named = json.loads(event.prompt)[0]
    # The prompt that had the name then. One that was deleted since goes before the one that has it now.
    of_then = Prompt.objects.filter(Q(deleted_at=None) | Q(deleted_at__gt=event.at), slug=named["slug"])
    prompt_id = of_then.order_by(F("deleted_at").asc(nulls_last=True)).values_list("pk", flat=True).first()
    if prompt_id is None or event.team_id is None:
        return
    cut = (prompt_id, event.environment[:10], event.at.date(), named["number"], event.team_id)
    before, after = _sums(changed.before), _sums(changed.after)
    sql.add_ratings(cut, tuple(new - old for new, old in zip(after, before, strict=True)))


def _sums(word: Word | None) -> tuple[Decimal | int, ...]:
    """Return good, bad, how many have a score, and the score in all."""
    if word is None:
        return (0, 0, 0, 0)
    return (int(word.is_good), int(not word.is_good), int(word.score is not None), word.score or 0)
