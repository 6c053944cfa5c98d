"""Who gets mail while nobody has chosen a channel."""

from collections.abc import Collection
from dataclasses import dataclass

from console.teams.models import Role, Team, User


@dataclass(frozen=True, slots=True)
class People:
    """Whose addresses a notice is mailed to as long as no channel takes it in their place.

    `of_team` stands back for a channel of the team, `operators` for one of the installation, `always` for none: those
    are asked in person.
    """

    of_team: Collection[str] = ()
    operators: Collection[str] = ()
    always: Collection[str] = ()


def owners_of(team: Team) -> list[str]:
    """Return the addresses of a team's owners."""
    owners = User.objects.filter(is_active=True, memberships__team=team, memberships__role=Role.OWNER)
    return sorted(owners.values_list("email", flat=True))


def addresses_of_operators() -> list[str]:
    return sorted(User.objects.filter(is_active=True, is_superuser=True).values_list("email", flat=True))


def everyone_concerned(team: Team | None) -> People:
    """Return who is told by default: the owners of the team, if it is about one, and the operators."""
    return People(of_team=owners_of(team) if team else (), operators=addresses_of_operators())
