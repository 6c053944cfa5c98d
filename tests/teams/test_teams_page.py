"""The pages about teams, members and people, and the operators' admin."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.core.clock import now
from console.teams.actors import SYSTEM, Actor
from console.teams.models import ApiKey, Membership, Role, Team, User
from console.teams.rights import rights_of
from console.teams.roles import RIGHTS
from console.teams.services import people
from console.teams.services import teams as team_services
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.teams import log
from tests.teams.test_sign_in import sign_in

pytestmark = pytest.mark.usefixtures("no_old_attempts")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def olga(cast: Cast) -> Client:
    client = Client()
    sign_in(client, "olga@example.com")
    client.post("/accounts/reauthenticate/", {"password": make.PASSWORD})
    return client


def test_it_lists_only_the_teams_one_is_in(cast: Cast, alice: Client, olga: Client) -> None:
    page = alice.get("/teams/").content.decode()
    assert "Team A" in page
    assert "Team B" not in page
    assert "Team B" in olga.get("/teams/").content.decode()


def test_ten_more_teams_are_no_more_queries(cast: Cast, olga: Client, django_assert_max_num_queries: Any) -> None:
    olga.get("/teams/")
    with django_assert_max_num_queries(12):
        olga.get("/teams/")
    for _ in range(10):
        make.make_team(owner=cast.alice)
    with django_assert_max_num_queries(12):
        olga.get("/teams/")


def test_ten_more_members_are_no_more_queries(cast: Cast, alice: Client, django_assert_max_num_queries: Any) -> None:
    for _ in range(10):
        make.make_member(cast.team_a)
    alice.get("/teams/team-a/")
    with django_assert_max_num_queries(16):
        alice.get("/teams/team-a/")


def test_a_members_rights_are_looked_up_once(cast: Cast) -> None:
    user = make.make_user()
    with CaptureQueriesContext(connection) as asked:
        make.make_member(cast.team_a, user, Role.BUILDER)
    assert sum("guardian_userobjectpermission" in one["sql"] for one in asked) == 2  # and written once
    team_services.change_role(actor=SYSTEM, membership=Membership.objects.get(user=user), role=Role.APPROVER)
    assert RIGHTS[Role.BUILDER] - RIGHTS[Role.APPROVER] and RIGHTS[Role.APPROVER] - RIGHTS[Role.BUILDER]
    assert rights_of(user) == {cast.team_a.pk: RIGHTS[Role.APPROVER]}


def test_operators_create_teams(cast: Cast, alice: Client, olga: Client) -> None:
    assert alice.post("/teams/new/", {"name": "Support"}).status_code == 403
    Team.objects.filter(pk=cast.team_b.pk).update(colour=3)
    assert olga.post("/teams/new/", {"name": "Customer Support"})["Location"] == "/teams/customer-support/"
    assert log.last().action == "team.created"
    assert Team.objects.get(slug="customer-support").colour == 2  # 1 and 3 are others'
    assert olga.post("/teams/new/", {"name": "Other", "slug": "customer-support"}).status_code == 422
    assert olga.post("/teams/new/", {"name": "…"}, headers=HTMX).status_code == 422
    refused = olga.post("/teams/new/", {"name": "Other", "slug": "two words"})
    assert refused.status_code == 422 and "Write letters, digits, hyphens and underscores." in refused.text


def test_an_owner_changes_the_team(cast: Cast, alice: Client) -> None:
    response = alice.post("/teams/team-a/change/", {"name": "Better", "requires_two_factor": ""}, headers=HTMX)
    assert (response.status_code, response["HX-Redirect"]) == (204, "/teams/team-a/")
    assert Team.objects.get(slug="team-a").name == "Better"
    assert log.last().action == "team.changed"


def test_it_does_not_take_a_rule_back_with_an_older_form(cast: Cast, alice: Client) -> None:
    seen = alice.get("/teams/team-a/change/").context["form"]["seen_revision"].value()
    alice.post("/teams/team-a/change/", {"name": "Team A", "requires_two_factor": "on", "seen_revision": seen})
    cast.team_a.refresh_from_db()
    # Alice has no second factor either, so that somebody else's form is the one that was overtaken.
    olga = client_of(cast.operator)
    late = {"name": "Typed", "requires_two_factor": "", "seen_revision": seen}
    overtaken = olga.post("/teams/team-a/change/", late)
    assert overtaken.status_code == 409 and olga.post("/teams/team-a/change/", late, headers=HTMX).status_code == 422
    assert "Somebody changed Team A after you opened it" in overtaken.text and 'value="Typed"' in overtaken.text
    assert "“Name”, “Require two-factor sign-in”; saving again" in overtaken.text
    assert Team.objects.get(slug="team-a").requires_two_factor
    late |= {"requires_two_factor": "on", "seen_revision": overtaken.context["form"]["seen_revision"].value()}
    assert olga.post("/teams/team-a/change/", late).status_code == 302
    team = Team.objects.get(slug="team-a")
    assert (team.name, team.requires_two_factor, team.revision) == ("Typed", True, 3)


def test_an_owner_archives_the_team(cast: Cast, alice: Client) -> None:
    assert alice.post("/teams/team-a/archive/").status_code == 302
    assert alice.get("/teams/team-a/").status_code == 404
    assert "Team A" not in alice.get("/keys/").content.decode()


def test_an_owner_changes_roles_but_the_last_one_stays(cast: Cast, alice: Client) -> None:
    bob = cast.team_a.memberships.get(user=cast.bob)
    own = cast.team_a.memberships.get(user=cast.alice)
    changed = alice.post(f"/teams/team-a/members/{bob.pk}/role/", {"role": "auditor"}, follow=True)
    assert "Bob is now an auditor of Team A." in changed.content.decode()
    bob.refresh_from_db()
    assert bob.role == Role.AUDITOR
    for path in ("role", "remove"):
        response = alice.post(f"/teams/team-a/members/{own.pk}/{path}/", {"role": "member"})
        assert response.status_code == 422
        assert "the only owner" in response.content.decode()


def test_a_member_may_leave_and_nothing_else(cast: Cast) -> None:
    client = Client()
    sign_in(client, "bob@example.com")
    page = client.get("/teams/team-a/").content.decode()
    assert "Leave team" in page
    assert "Change role" not in page
    assert "Invitations" not in page
    alice = cast.team_a.memberships.get(user=cast.alice)
    bob = cast.team_a.memberships.get(user=cast.bob)
    assert client.post(f"/teams/team-a/members/{alice.pk}/remove/").status_code == 403
    assert client.post(f"/teams/team-a/members/{bob.pk}/role/", {"role": "owner"}).status_code == 403
    assert client.post(f"/teams/team-a/members/{bob.pk}/remove/")["Location"] == "/teams/"
    assert not Membership.objects.filter(pk=bob.pk).exists()


def test_a_member_of_another_team_is_not_reached_through_ones_own(cast: Cast, alice: Client) -> None:
    theirs = cast.team_b.memberships.get(user=cast.charlie)
    for path in ("role", "remove"):
        response = alice.post(f"/teams/team-a/members/{theirs.pk}/{path}/", {"role": "member"})
        assert response.status_code == 404


def test_handing_over_keys_while_removing(cast: Cast, alice: Client) -> None:
    key, _ = make.make_key(cast.team_a, "bobs", owner=cast.bob)
    bob = cast.team_a.memberships.get(user=cast.bob)
    alice.post(f"/teams/team-a/members/{bob.pk}/remove/", {"hand_keys_to": cast.alice.pk})
    key.refresh_from_db()
    assert key.owner == cast.alice


# People -------------------------------------------------------------------------------------------------------


def test_operators_add_people_by_a_link(cast: Cast, olga: Client) -> None:
    response = olga.post("/people/new/", {"name": "New", "email": "New@example.com"})
    assert "/sign-in/" in response.content.decode()
    assert response["Cache-Control"] == "no-store"
    assert not User.objects.get(email="new@example.com").is_superuser
    assert olga.post("/people/new/", {"name": "New", "email": "NEW@example.com"}).status_code == 422


def test_operators_disable_and_enable(cast: Cast, olga: Client) -> None:
    make.make_key(cast.team_a, "bobs", owner=cast.bob)
    assert "bobs" in olga.get(f"/people/{cast.bob.pk}/disable/").content.decode()
    assert olga.post(f"/people/{cast.bob.pk}/disable/").status_code == 302
    cast.bob.refresh_from_db()
    assert not cast.bob.is_active
    assert "Disabled" in olga.get("/people/?state=disabled").content.decode()
    assert "/teams/team-a/" in olga.get("/people/").text
    Team.objects.filter(pk=cast.team_a.pk).update(archived_at=now())
    assert "/teams/team-a/" not in olga.get("/people/").text, "its page is gone"
    Team.objects.filter(pk=cast.team_a.pk).update(archived_at=None)
    olga.post(f"/people/{cast.bob.pk}/enable/")
    cast.bob.refresh_from_db()
    assert cast.bob.is_active
    assert [line.action for line in log.lines()][-2:] == ["user.disabled", "user.enabled"]


def test_the_last_operator_stays_one(cast: Cast, olga: Client) -> None:
    for path in ("disable", "operator"):
        assert olga.post(f"/people/{cast.operator.pk}/{path}/", {"becomes": "no"}).status_code == 422
    make_operator = f"/people/{cast.alice.pk}/operator/"
    field = '<input type="hidden" name="becomes" value="yes" id="id_becomes">'
    assert field in olga.get(make_operator).text and field in olga.get(make_operator, headers=HTMX).text
    assert re.search(r'panel-body[^>]*>\s*<p class="soft small-ui">Operators', olga.get(make_operator).text)
    for _ in ("one person", "another at once"):
        olga.post(make_operator, {"becomes": "yes"})
        cast.alice.refresh_from_db()
        assert cast.alice.is_operator
    assert olga.post(make_operator).status_code == 422, "it does not guess"
    people.set_operator(actor=Actor("user", cast.alice.pk, "Alice"), user=cast.operator, is_operator=False)
    assert olga.get("/people/").status_code in {302, 403}


def test_making_operators_and_links_asks_to_sign_in_again(cast: Cast) -> None:
    client = Client()
    sign_in(client, "olga@example.com")
    for path in (f"/people/{cast.bob.pk}/operator/", f"/people/{cast.bob.pk}/sign-in-link/"):
        assert "reauthenticate" in client.post(path, {"becomes": "yes"})["Location"]
    cast.bob.refresh_from_db()
    assert not cast.bob.is_superuser


# The admin ----------------------------------------------------------------------------------------------------


def test_the_admin_shows_rows_to_operators_and_changes_none(cast: Cast, olga: Client, alice: Client) -> None:
    assert Client().get("/admin/", follow=True).request["PATH_INFO"] == "/accounts/login/"
    assert alice.get("/admin/teams/user/", follow=True).status_code == 403
    assert olga.get("/admin/").status_code == 200
    for model, row in (("user", cast.bob), ("team", cast.team_a), ("apikey", cast.kim)):
        page = olga.get(f"/admin/teams/{model}/{row.pk}/change/")
        assert page.status_code == 200
        assert 'name="_save"' not in page.content.decode()
        assert olga.post(f"/admin/teams/{model}/{row.pk}/change/", {"name": "x"}).status_code == 403
        assert olga.post(f"/admin/teams/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert olga.get(f"/admin/teams/{model}/add/").status_code == 403
    key_page = olga.get(f"/admin/teams/apikey/{cast.kim.pk}/change/").content.decode()
    assert bytes(cast.kim.digest).hex() not in key_page
    assert "Digest" not in key_page


def test_the_admin_offers_no_side_doors(cast: Cast, olga: Client) -> None:
    assert olga.get("/admin/password_change/")["Location"] == "/accounts/password/change/"
    assert olga.post("/admin/password_change/", {"old_password": "x"})["Location"] == "/accounts/password/change/"
    page = olga.get("/admin/").content.decode()
    assert "Facet, database" in page and 'rel="icon"' in page
    for path in ("auth/group", "account/emailaddress", "mfa/authenticator", "socialaccount/socialapp"):
        assert path not in page
        assert olga.get(f"/admin/{path}/").status_code == 404
    assert olga.get("/admin/r/1/1/").status_code == 404


def test_the_admin_tells_nothing_of_columns_it_does_not_show(cast: Cast, olga: Client) -> None:
    narrowed = olga.get("/admin/teams/user/?is_superuser__exact=1").content.decode()
    assert "olga@example.com" in narrowed and "bob@example.com" not in narrowed
    for asked in (
        *("user/?password__startswith=argon2", "user/?email__regex=(", "user/?last_login__year=99999999999"),
        *("apikey/?digest__startswith=0", "apikey/?digest=00", "invitation/?token_digest=00"),
    ):
        assert olga.get(f"/admin/teams/{asked}").status_code == 400, asked
    assert olga.get(f"/admin/teams/user/{cast.bob.pk}/change/?_to_field=").status_code == 200
    assert olga.get(f"/admin/teams/user/{cast.bob.pk}/change/?_to_field=password").status_code == 400


def test_the_installations_keys_are_made_without_a_person(cast: Cast) -> None:
    assert ApiKey.objects.get(pk=cast.kim.pk).owner is None
    assert SYSTEM.kind == "system"
