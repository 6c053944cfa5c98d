"""Keep what somebody said of an answer they got here."""

from django.db import transaction

from console.audit import actions
from console.audit.models import AuditEvent, EventType
from console.audit.services import record
from console.core.errors import NotFound
from console.core.ids import parse_request_id, request_id
from console.teams.callers import Actor
from console.teams.models import Team


def answer_for(actor: Actor, reference: str) -> AuditEvent:
    """Return the call in the playground that `req_…` names. Everybody rates their own."""
    lines = AuditEvent.objects.filter(type=EventType.PLAYGROUND, actor_id=actor.id)
    identifier = parse_request_id(reference)
    answer = lines.filter(pk=identifier).first() if identifier else None
    if answer is None:
        raise NotFound("There is no such answer of yours. Run it again, then rate it.")
    return answer


@transaction.atomic
def rate(*, actor: Actor, answer: AuditEvent, says: str) -> None:
    """Put a line in the log: good, bad, or nothing any more."""
    record(
        actions.ANSWER_RATED,
        actor=actor,
        target_name=request_id(answer.pk),
        team=Team.objects.filter(pk=answer.team_id).first() if answer.team_id else None,
        detail={"answer": says or "not rated", "model": answer.model, "prompt": answer.prompt},
    )
