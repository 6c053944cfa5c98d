"""On whose behalf a test run or replay makes its calls."""

from console.core.errors import NotAllowed
from console.teams.actors import Actor
from console.teams.models import ApiKey, Team


def check_caller(actor: Actor, team: Team, *, purpose: str) -> None:
    """Refuse whoever's calls would not be the team's: a key's count, and are recorded, in its own team alone."""
    if actor.kind not in {"user", "key"} or actor.id is None:
        raise NotAllowed(f"A {purpose}'s calls are somebody's: a person's, or a key's.")
    if actor.kind == "key" and not ApiKey.objects.filter(pk=actor.id, team=team).exists():
        raise NotAllowed(other_team(team))


def other_team(team: Team) -> str:
    return f"The calls of this key count and are kept in its own team; take a key of {team}."
