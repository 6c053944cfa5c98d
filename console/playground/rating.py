"""Keep what somebody said of an answer they got here."""

from django.db import transaction

from console.audit import actions
from console.audit.models import AuditEvent, EventType
from console.audit.services import record
from console.core.errors import NotFound
from console.core.ids import parse_request_id, request_id
from console.teams.callers import Actor
from console.teams.models import Team


@transaction.atomic
def rate(*, actor: Actor, request: str, says: str) -> None:
    """Put a line in the log: good, bad, or nothing any more. Only of one's own calls in the playground."""
    line = _line(actor, request)
    if line is None:
        raise NotFound("There is no such answer of yours. Run it again, then rate it.")
    record(
        actions.ANSWER_RATED,
        actor=actor,
        target_name=request_id(line.pk),
        team=Team.objects.filter(pk=line.team_id).first() if line.team_id else None,
        detail={"answer": says or "not rated", "model": line.model, "prompt": line.prompt},
    )


def _line(actor: Actor, request: str) -> AuditEvent | None:
    lines = AuditEvent.objects.filter(type=EventType.PLAYGROUND, actor_id=actor.id)
    identifier = parse_request_id(request)
    return lines.filter(pk=identifier).first() if identifier else None
