"""Two people change who is in a team, or who runs the installation, at the same moment."""

import threading
from collections.abc import Iterator

import pytest
from django.db import connections, transaction
from guardian.models import UserObjectPermission

from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM
from console.teams.models import Invitation, Membership, Role, Team, User
from console.teams.services import invitations, people, teams
from tests import make
from tests.between import somebody_waits
from tests.conftest import Cast
from tests.waiting import until


@pytest.mark.django_db(transaction=True)
def test_whoever_is_taken_out_while_a_role_is_given_keeps_no_right() -> None:
    cast = Cast()
    bob = Membership.objects.select_related("team", "user").get(team=cast.team_a, user=cast.bob)
    seen_by_another = Membership.objects.select_related("team", "user").get(pk=bob.pk)

    def take_out() -> None:
        try:
            teams.remove_member(actor=SYSTEM, membership=seen_by_another)
        finally:
            connections.close_all()

    thread = threading.Thread(target=take_out)
    with transaction.atomic():
        teams.change_role(actor=SYSTEM, membership=bob, role=Role.OWNER)
        thread.start()
        until(somebody_waits, "the second change waits for the first")
    thread.join()
    assert not Membership.objects.filter(pk=bob.pk).exists()
    assert not UserObjectPermission.objects.filter(user=cast.bob).exists()


@pytest.fixture
def alone(cast: Cast) -> Iterator[tuple[Membership, User]]:
    """Give what was read of somebody before they became the last owner of a team and the last operator."""
    bob = Membership.objects.select_related("team", "user").get(team=cast.team_a, user=cast.bob)
    before = User.objects.get(pk=cast.bob.pk)
    teams.change_role(actor=SYSTEM, membership=Membership.objects.get(pk=bob.pk), role=Role.OWNER)
    teams.remove_member(actor=SYSTEM, membership=Membership.objects.get(team=cast.team_a, user=cast.alice))
    people.set_operator(actor=SYSTEM, user=User.objects.get(pk=cast.bob.pk), is_operator=True)
    people.disable_person(actor=SYSTEM, user=cast.operator)
    return bob, before


def test_what_somebody_is_counts_as_it_is_when_it_is_changed(alone: tuple[Membership, User]) -> None:
    bob, before = alone
    with pytest.raises(BadInput, match="the only owner"):
        teams.remove_member(actor=SYSTEM, membership=bob)
    bob.role = Role.MEMBER
    with pytest.raises(BadInput, match="the only owner"):
        teams.change_role(actor=SYSTEM, membership=bob, role=Role.MEMBER)
    with pytest.raises(BadInput, match="the only operator"):
        people.disable_person(actor=SYSTEM, user=before)
    make.make_member(bob.team, role=Role.OWNER)
    teams.remove_member(actor=SYSTEM, membership=Membership.objects.get(pk=bob.pk))
    with pytest.raises(Conflict, match="no longer in"):
        teams.change_role(actor=SYSTEM, membership=bob, role=Role.OWNER)
    with pytest.raises(Conflict, match="no longer in"):
        teams.remove_member(actor=SYSTEM, membership=bob)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_make_a_team_of_one_short_name_at_once_the_second_is_told() -> None:
    said: list[str] = []

    def make_too() -> None:
        try:
            teams.create_team(actor=SYSTEM, name="Claims again", slug="claims")
        except Conflict as error:
            said.append(str(error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=make_too)
    with transaction.atomic():
        teams.create_team(actor=SYSTEM, name="Claims", slug="claims")
        thread.start()
        until(somebody_waits, "the second team waits for the first")
    thread.join()
    assert said == ["There is a team with the short name 'claims' already; choose another."]
    assert [team.name for team in Team.objects.filter(slug="claims")] == ["Claims"]


@pytest.mark.django_db(transaction=True)
def test_of_two_invitations_of_one_address_at_once_one_stays_open() -> None:
    team = make.make_team("Claims")

    def invite() -> None:
        try:
            invitations.invite(actor=SYSTEM, team=team, email="new@example.com", role=Role.MEMBER)
        finally:
            connections.close_all()

    second = threading.Thread(target=invite)
    with transaction.atomic():
        invitations.invite(actor=SYSTEM, team=team, email="new@example.com", role=Role.MEMBER)
        second.start()
        until(somebody_waits, "the second waits for the first")
    second.join()
    assert Invitation.objects.count() == 2 and Invitation.objects.filter(revoked_at=None).count() == 1
