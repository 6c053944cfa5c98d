"""A person's sessions: list and end them."""

from collections.abc import Sequence

from allauth.usersessions.models import UserSession
from django.db import transaction

from console.audit import actions
from console.audit.services import record
from console.core.formatting import browser
from console.teams.actors import Actor
from console.teams.models import User


@transaction.atomic
def end_sessions(*, actor: Actor, user: User, sessions: Sequence[UserSession]) -> None:
    """End sessions of a person: the next request of each is nobody's. What ended meanwhile is not ended twice."""
    here = UserSession.objects.select_for_update(no_key=True).filter(
        user=user, pk__in=[session.pk for session in sessions]
    )
    if not (still_there := list(here.order_by("pk"))):
        return
    for session in still_there:
        session.end()
    ended = [f"{browser(session.user_agent)}, {session.ip}" for session in still_there]
    record(actions.SESSIONS_CLOSED, actor=actor, target=user, target_name=user.email, detail={"ended": ended})
