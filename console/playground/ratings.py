"""Store a rating of an answer of the playground."""

from console.audit.models import AuditEvent, EventType
from console.audit.services.ratings import Word
from console.core.errors import NotFound
from console.core.ids import parse_request_id
from console.teams.actors import Actor
from console.teams.callers import Caller
from usage_app.services import ratings as services


def answer_for(caller: Caller, reference: str) -> AuditEvent:
    """Return the call in the playground that `req_…` names. Everybody rates their own, of teams they belong to."""
    lines = AuditEvent.objects.filter(type=EventType.PLAYGROUND, actor_id=caller.actor.id)
    if not caller.is_operator:
        lines = lines.filter(team_id__in=list(caller.rights))
    identifier = parse_request_id(reference)
    answer = lines.filter(pk=identifier).first() if identifier else None
    if answer is None:
        raise NotFound("There is no such answer of yours. Run it again, then rate it.")
    return answer


def rate(*, actor: Actor, answer: AuditEvent, says: str) -> None:
    """Keep that it is good or bad, or nothing any more."""
    services.rate(actor=actor, answer=answer, word=Word(says == "good") if says else None)
