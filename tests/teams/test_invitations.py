"""Invitations: sent, shown once, accepted once, by the one they are for."""

import datetime as dt
import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client, RequestFactory

from console.core.clock import now
from console.core.errors import Conflict, NotAllowed, NotFound
from console.core.scrub import without_links
from console.teams.actors import SYSTEM, Actor
from console.teams.models import ApiKey, Invitation, Role, User
from console.teams.services import invitations, people
from console.teams.services import teams as team_services
from console.teams.single_sign_on import SocialAccountAdapter
from tests import make
from tests.between import After
from tests.conftest import Cast
from tests.make import client_of
from tests.teams import log
from tests.teams.test_sign_in import is_in

LINK = re.compile(r"/invitations/[\w-]+/")


@pytest.fixture
def sent(cast: Cast) -> tuple[Invitation, str]:
    cache.clear()
    alice = Actor("user", cast.alice.pk, "Alice")
    invitation, token = invitations.invite(actor=alice, team=cast.team_a, email="New@Example.com", role=Role.BUILDER)
    return invitation, f"/invitations/{token}/"


def test_it_mails_the_link_and_shows_it_once(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    client = client_of(cast.alice)
    make.make_team("Empty")
    assert 'value="member" checked' in re.sub(
        r" (class|id)=\S+| required", "", client.get("/teams/team-a/invite/").text
    )
    first = re.sub(r" (class|id)=\S+| required", "", client_of(cast.operator).get("/teams/empty/invite/").text)
    assert 'value="owner" checked' in first, "what a team without people needs first"
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post("/teams/team-a/invite/", {"email": "new@example.com", "role": "member"})
    assert response["Cache-Control"] == "no-store"
    shown, mailed = LINK.search(response.content.decode()), LINK.search(str(mail.outbox[0].body))
    assert shown and mailed
    assert shown[0] == mailed[0]
    assert "no mail server is set up here" in response.text, "what only a file holds was sent to nobody"
    assert mail.outbox[0].to == ["new@example.com"] and ", as a member." in mail.outbox[0].body
    token = shown[0].split("/")[2]
    assert token not in client.get("/teams/team-a/").content.decode()
    assert token not in str([vars(line) for line in log.lines()])
    assert (log.last().action, log.last().team_id) == ("invitation.sent", cast.team_a.pk)
    cast.team_a.name = "Pay\u202eroll"
    with django_capture_on_commit_callbacks(execute=True):
        odd = Actor("user", cast.alice.pk, "Alice\r\nBcc: all@example.com")
        invitations.invite(actor=odd, team=cast.team_a, email="new@example.com", role=Role.MEMBER)
    assert mail.outbox[1].subject == "[Facet] Alice Bcc: all@example.com invites you to Pay[U+202E]roll"
    assert "to the team Pay[U+202E]roll" in mail.outbox[1].body


@pytest.mark.django_db(transaction=True)
def test_it_says_that_the_mail_server_did_not_take_the_link(cast: Cast, settings: Any) -> None:
    client, new = client_of(cast.alice), {"email": "new@example.com", "role": "member"}
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert "We sent this link by e-mail" in client.post("/teams/team-a/invite/", new).text
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    page = client.post("/teams/team-a/invite/", new).text
    assert "the mail server did not take the mail" in page and LINK.search(page)


def test_it_makes_an_account_and_a_member(cast: Cast, sent: tuple[Invitation, str]) -> None:
    _, url = sent
    client = Client()
    page = client.get(url)
    assert page["Referrer-Policy"] == "strict-origin"
    assert "Alice invites new@example.com to be a builder of Team A." in page.content.decode()
    assert client.post(url, {"name": "New Person", "password": "short"}).status_code == 422
    assert client.post(url, {"name": "New Person", "password": "new@example.com"}).status_code == 422
    response = client.post(url, {"name": "New Person", "password": make.PASSWORD})
    assert response["Location"] == "/teams/team-a/"
    user = User.objects.get(email="new@example.com")
    assert is_in(client)
    assert user.memberships.get().role == Role.BUILDER
    assert EmailAddress.objects.get(user=user).verified
    assert Client().get(url).status_code == 404
    assert [line.action for line in log.lines()][-4:] == [
        "user.created",
        "invitation.accepted",
        "member.added",
        "session.started",
    ]


def test_it_joins_whoever_is_signed_in_with_that_address(cast: Cast) -> None:
    _, token = invitations.invite(actor=SYSTEM, team=cast.team_a, email="charlie@example.com", role=Role.AUDITOR)
    url = f"/invitations/{token}/"
    assert "Sign in to join" in Client().get(url).content.decode()
    assert Client().post(url, {"name": "Mallory", "password": make.PASSWORD}).status_code == 200
    assert User.objects.filter(email="charlie@example.com").count() == 1
    client = client_of(cast.charlie)
    assert client.post(url)["Location"] == "/teams/team-a/"
    assert client.get(url)["Location"] == "/teams/team-a/", "whoever opens the mail again is where it leads"
    bobs = client_of(cast.bob)
    assert "Go to the overview" in bobs.get(url).text and "Go to sign-in" in Client().get(url).text
    assert cast.team_a.memberships.get(user=cast.charlie).role == Role.AUDITOR


def test_it_is_for_nobody_else(cast: Cast, sent: tuple[Invitation, str]) -> None:
    invitation, url = sent
    client = client_of(cast.charlie)
    assert "The invitation is for new@example.com" in client.get(url).content.decode()
    client.post(url)
    assert not cast.team_a.memberships.filter(user=cast.charlie).exists()
    with pytest.raises(NotFound):
        invitations.accept_invitation(actor=SYSTEM, invitation=invitation, user=cast.charlie)


def test_it_gets_too_old_and_can_be_revoked_or_sent_again(cast: Cast, sent: tuple[Invitation, str]) -> None:
    invitation, url = sent
    assert dt.timedelta(days=6) < invitation.expires_at - now() <= dt.timedelta(days=7)
    Invitation.objects.update(expires_at=now())
    assert Client().get(url).status_code == 404
    alice = client_of(cast.alice)
    response = alice.post(f"/teams/team-a/invitations/{invitation.pk}/resend/")
    fresh = LINK.search(response.content.decode())
    assert fresh
    assert Client().get(fresh[0]).status_code == 200
    assert Client().get(url).status_code == 404
    alice.post(f"/teams/team-a/invitations/{invitation.pk}/revoke/")
    assert Client().get(fresh[0]).status_code == 404
    with pytest.raises(Conflict):
        invitations.revoke_invitation(actor=SYSTEM, invitation=invitation)
    with pytest.raises(Conflict):
        invitations.resend_invitation(actor=SYSTEM, invitation=invitation)


def test_a_live_link_gets_into_no_log_when_its_form_is_too_old(
    cast: Cast, sent: tuple[Invitation, str], caplog: pytest.LogCaptureFixture
) -> None:
    client, token = Client(enforce_csrf_checks=True), sent[1].split("/")[2]
    client.force_login(cast.bob)
    assert client.post(sent[1]).status_code == 403
    assert (log.last().action, log.last().target) == ("request.refused", "POST /invitations/[redacted]/")
    assert token not in str([vars(line) for line in log.lines()])
    assert "/invitations/[redacted]/" in caplog.text and token not in caplog.text, "Django names the address too"
    for other in ("/sign-in/secure/", f"/teams/team-a/invitations/{sent[0].pk}/resend/"):
        assert without_links(other) == other


def test_a_new_one_replaces_the_old(cast: Cast, sent: tuple[Invitation, str]) -> None:
    invitations.invite(actor=SYSTEM, team=cast.team_a, email="new@example.com", role=Role.MEMBER)
    assert Client().get(sent[1]).status_code == 404


def test_a_removed_owners_invitations_are_worth_nothing(cast: Cast, sent: tuple[Invitation, str]) -> None:
    make.make_member(cast.team_a, cast.charlie, Role.OWNER)
    team_services.remove_member(actor=SYSTEM, membership=cast.team_a.memberships.get(user=cast.alice))
    assert Client().get(sent[1]).status_code == 404


def test_a_key_gives_no_role_above_its_own_rights(cast: Cast) -> None:
    key, _ = make.make_key(cast.team_a, owner=cast.alice, scopes=["members:manage", "models:call", "usage:read"])
    actor = Actor("key", ApiKey.objects.get(pk=key.pk).pk, "k")
    invitations.invite(actor=actor, team=cast.team_a, email="a@example.com", role=Role.MEMBER)
    for role in (Role.OWNER, Role.BUILDER):
        with pytest.raises(NotAllowed):
            invitations.invite(actor=actor, team=cast.team_a, email="b@example.com", role=role)
        with pytest.raises(NotAllowed):
            team_services.add_member(actor=actor, team=cast.team_a, user=cast.charlie, role=role)


def test_whoever_sends_an_invitation_again_has_the_rights_of_its_role(cast: Cast) -> None:
    """The link is shown to them, and makes the account of the invited address."""
    alice = Actor("user", cast.alice.pk, "Alice")
    invitation, _ = invitations.invite(actor=alice, team=cast.team_a, email="new@example.com", role=Role.OWNER)
    _, text = make.make_key(cast.team_a, owner=cast.alice, scopes=["members:manage"])
    again = f"/api/teams/team-a/invitations/{invitation.pk}/"
    response = Client().post(again, headers={"authorization": f"Bearer {text}"})
    assert response.status_code == 403 and "link" not in response.json()
    assert client_of(cast.alice).post(again, content_type="application/json").status_code == 200
    # And vouches for it from then on, whoever invited first.
    make.make_member(cast.team_a, cast.charlie, Role.OWNER)
    _, token = invitations.resend_invitation(actor=make.actor_for(cast.charlie), invitation=invitation)
    team_services.remove_member(actor=SYSTEM, membership=cast.team_a.memberships.get(user=cast.alice))
    assert Client().get(f"/invitations/{token}/").status_code == 200


def test_what_a_key_sent_is_worth_what_its_owner_may_give(cast: Cast) -> None:
    scopes = ["members:manage", "models:call", "usage:read"]
    of_alice, _ = make.make_key(cast.team_a, owner=cast.alice, scopes=scopes)
    of_nobody, _ = make.make_key(cast.team_a, owner=None, scopes=scopes)
    actors = [Actor("key", key.pk, "k") for key in (of_alice, of_nobody)]
    tokens = [
        invitations.invite(actor=actor, team=cast.team_a, email=f"{at}@example.com", role=Role.MEMBER)[1]
        for at, actor in enumerate(actors)
    ]
    make.make_member(cast.team_a, cast.charlie, Role.OWNER)
    assert [Client().get(f"/invitations/{token}/").status_code for token in tokens] == [200, 200]
    team_services.remove_member(actor=SYSTEM, membership=cast.team_a.memberships.get(user=cast.alice))
    assert [Client().get(f"/invitations/{token}/").status_code for token in tokens] == [404, 200]


def test_accepted_twice_at_the_same_moment_it_makes_one_account(cast: Cast) -> None:
    other = After(lambda: make.make_user("new@example.com"), of='WHERE UPPER("teams_user"."email"')
    assert not User.objects.filter(email="new@example.com").exists()
    with connection.execute_wrapper(other), pytest.raises(Conflict, match="There is an account"):
        people.create_person(actor=SYSTEM, email="new@example.com", password="a long password")


# Single sign-on -----------------------------------------------------------------------------------------------


def social(email: str, *, verified: bool) -> tuple[Any, SocialLogin]:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request.session = Client().session  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    request.client_address = "203.0.113.9"  # type: ignore[attr-defined]
    login = SocialLogin(
        user=User(email=email),
        account=SocialAccount(provider="oidc", uid="42"),
        email_addresses=[EmailAddress(email=email, verified=verified, primary=True)],
    )
    return request, login


def test_single_sign_on_lets_in_the_invited_only(cast: Cast, sent: tuple[Invitation, str]) -> None:
    adapter = SocialAccountAdapter()
    assert adapter.is_open_for_signup(*social("new@example.com", verified=True))
    assert adapter.is_open_for_signup(*social("NEW@example.com", verified=True))
    assert not adapter.is_open_for_signup(*social("new@example.com", verified=False))
    assert not adapter.is_open_for_signup(*social("other@example.com", verified=True))
    assert not adapter.is_open_for_signup(*social("alice@example.com", verified=True))


def test_single_sign_on_accepts_the_invitation(cast: Cast, sent: tuple[Invitation, str]) -> None:
    request, login = social("new@example.com", verified=True)
    user = SocialAccountAdapter().save_user(request, login)
    assert user.memberships.get().team == cast.team_a
    assert not user.has_usable_password()
    assert Client().get(sent[1]).status_code == 404


def test_single_sign_on_can_join_a_team_by_itself(cast: Cast, settings: Any) -> None:
    settings.OIDC_AUTO_JOIN = "team-a:auditor"
    request, login = social("other@example.com", verified=True)
    assert SocialAccountAdapter().is_open_for_signup(request, login)
    user = SocialAccountAdapter().save_user(request, login)
    assert (user.memberships.get().team, user.memberships.get().role) == (cast.team_a, Role.AUDITOR)


def test_an_address_too_long_to_keep_is_refused_wherever_one_is_written(cast: Cast) -> None:
    long = f"{'a' * 250}@example.com"
    alice, olga = client_of(cast.alice), client_of(cast.operator)
    for sent in (
        alice.post("/teams/team-a/invite/", {"email": long, "role": "member"}),
        olga.post("/people/new/", {"name": "Long", "email": long}),
        alice.post("/teams/team-a/alerts/new/?kind=email", {"name": "Us", "addresses": long, "wants": ["quota"]}),
    ):
        assert sent.status_code == 422 and "at most 254 characters" in sent.text
    body = {"email": long, "role": "member"}
    refused = alice.post("/api/teams/team-a/invitations/", body, content_type="application/json")
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "email"
    assert not Invitation.objects.exists()
