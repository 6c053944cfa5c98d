"""Rate an answer. Each change is recorded, and a comment's text is stored only beside the call."""

import uuid
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.models import AuditEvent
from console.audit.services import record
from console.audit.services.ratings import Changed, Rater, Word, say
from console.core.ids import request_id
from console.teams.callers import Actor
from console.teams.models import Team


@transaction.atomic
def rate(
    *, actor: Actor, answer: AuditEvent, word: Word | None, rater_id: uuid.UUID | None = None, surface: str = "console"
) -> Changed:
    """Keep what somebody says of an answer; None takes back what they said. Nothing is recorded where it is the same.

    `rater_id` stands for whoever says it, where that is not the actor's own: of a key, the first of its line.
    """
    who = rater_id or actor.id
    assert who is not None, "only people and keys come here"
    changed = say(rater=Rater(actor.kind, who, actor.name), event=answer, word=word)
    if changed:
        record(
            actions.ANSWER_RATED,
            actor=actor,
            target_name=request_id(answer.pk),
            team=Team.objects.filter(pk=answer.team_id).first() if answer.team_id else None,
            detail=_detail(answer, changed),
            surface=surface,
        )
    return changed


def _detail(answer: AuditEvent, changed: Changed) -> dict[str, Any]:
    """Comments may repeat what was said in a call, which fewer may read than see the log: here is their length."""
    word, before = changed.after, changed.before
    detail: dict[str, Any] = {"answer": word.says if word else "not rated"}
    if before is not None:
        detail["before_that"] = before.says
    if word is not None and word.score is not None:
        detail["score"] = float(word.score)
    if word is not None and word.comment:
        detail["characters_of_comment"] = len(word.comment)
    return detail | {"model": answer.model, "prompt": answer.prompt}
