"""Whose turn it is to write."""

from console.teams.models import Team


def lock_team(team: Team) -> Team:
    """Have writers of one team's inventory take their turn, so that nothing is listed twice."""
    return Team.objects.select_for_update(no_key=True).get(pk=team.pk)
