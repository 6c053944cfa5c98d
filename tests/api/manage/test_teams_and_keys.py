"""Teams, members, invitations, people and keys over the management API."""

import json
import re

import pytest
from django.test import Client

from console.api.manage.installation import _rendered
from console.audit.models import AuditEvent
from console.teams.actors import SYSTEM
from console.teams.models import ApiKey, Invitation, Membership, Team, User
from console.teams.roles import ALL_RIGHTS, INSTALLATION, SCOPES
from console.teams.services.profile import change_profile
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.programs import Program

ADMIN = [scope for scope in SCOPES if scope not in {"audit:content", "prompts:review", INSTALLATION}]


@pytest.fixture
def program(cast: Cast) -> Program:
    return Program(make.make_key(cast.team_a, "admin", scopes=ADMIN)[1])


def test_two_keys_in_two_headers_of_one_name_are_refused(cast):
    _, other = make.make_key(cast.team_b)
    for name, form in (("Authorization", "Bearer {}"), ("X-Api-Key", "{}")):
        sent = ",".join(form.format(text) for text in (cast.kim_text, other))
        refused = Client().get("/api/me/", headers={name: sent})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "two_credentials")


def test_it_lists_only_its_team(program, cast):
    assert [team["slug"] for team in program("GET", "teams/").json()["data"]] == ["team-a"]


def test_another_team_looks_like_none(program, cast):
    theirs, none = program("GET", "teams/team-b/"), program("GET", "teams/nothing/")
    assert theirs.status_code == none.status_code == 404
    assert theirs.json()["error"]["message"] == none.json()["error"]["message"]


def test_it_says_who_calls(program, cast):
    said = program("GET", "me/").json()
    assert said["kind"] == "key" and "manage_keys" in said["teams"]["team-a"] and said["shortcuts_enabled"] is None
    refused = program("PATCH", "me/", {"name": "Mallory"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "person_required")
    bob = client_of(cast.bob)
    changed = bob.patch("/api/me/", {"name": " Robert ", "shortcuts_enabled": False}, content_type="application/json")
    assert (changed.json()["name"], changed.json()["shortcuts_enabled"]) == ("Robert", False), changed.text
    assert bob.patch("/api/me/", {"name": "Bob"}, content_type="application/json").json()["shortcuts_enabled"] is False
    assert AuditEvent.objects.filter(action="user.changed", actor_id=cast.bob.pk).count() == 2
    stale = User.objects.get(pk=cast.bob.pk)  # as a request read him before the name was changed
    User.objects.filter(pk=cast.bob.pk).update(name="Rob")
    change_profile(actor=SYSTEM, user=stale, shortcuts_enabled=True)
    assert User.objects.filter(pk=cast.bob.pk, name="Rob", shortcuts_enabled=True).exists()
    olga = client_of(cast.operator)
    assert olga.get("/api/me/").json()["teams"]["team-a"] == sorted(ALL_RIGHTS)
    wrong = bob.patch("/api/me/", {"is_operator": True}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "is_operator")


def test_it_creates_shows_once_and_revokes_a_key(program, cast):
    made = program(
        "POST",
        "keys/",
        {"team": "team-a", "name": "new", "environment": "sandbox", "scopes": ["usage:read", "usage:read"]},
    )
    assert made.status_code == 201 and made.json()["text"].startswith("fk_test_")
    assert made.json()["scopes"] == ["usage:read"]
    pk = made.json()["id"]
    assert "text" not in program("GET", f"keys/{pk}/").json()
    assert program("DELETE", f"keys/{pk}/").json()["revoked_at"]
    assert AuditEvent.objects.filter(action="key.created", target_id=pk, actor_kind="key").count() == 1


def test_a_key_cannot_make_a_key_with_more_rights(program, cast):
    made = program(
        "POST", "keys/", {"team": "team-a", "name": "n", "environment": "sandbox", "scopes": ["audit:content"]}
    )
    assert made.status_code == 403 and ApiKey.objects.filter(name="n").count() == 0


def test_it_rotates_and_changes(program, cast, settings):
    made = program("POST", f"keys/{cast.kim.pk}/rotate/", {"overlap_hours": 1})
    assert made.status_code in {201, 403}
    key, _ = make.make_key(cast.team_a, "mine", scopes=["usage:read"])
    assert program("PATCH", f"keys/{key.pk}/", {"unknown_fields": "refuse"}).json()["unknown_fields"] == "refuse"
    renamed = program("PATCH", f"keys/{key.pk}/", {"name": "renamed"}).json()
    assert (renamed["name"], renamed["unknown_fields"]) == ("renamed", "refuse")
    late = {"networks": [], "seen_revision": renamed["revision"] - 1}
    assert program("PATCH", f"keys/{key.pk}/", late).json()["error"]["code"] == "conflict"
    assert program("PATCH", f"keys/{key.pk}/", {"unknown_fields": "keep"}).json()["error"]["param"] == "unknown_fields"
    settings.GATEWAY_UNKNOWN_FIELDS = "drop"
    assert program("GET", f"keys/{cast.kim.pk}/").json()["unknown_fields_now"] == "drop"
    lax = program("PATCH", f"keys/{key.pk}/", {"unknown_fields": "pass"})
    assert lax.status_code == 403 and "word for unknown fields is drop" in lax.json()["error"]["message"]
    rotated = program("POST", f"keys/{key.pk}/rotate/", {"overlap_hours": 1})
    assert (rotated.status_code, rotated.json()["unknown_fields"]) == (201, "refuse")
    new = {"team": "team-a", "name": "n", "environment": "sandbox", "scopes": ["usage:read"]}
    for given, kept in (({}, ""), ({"unknown_fields": ""}, ""), ({"unknown_fields": "drop"}, "drop")):
        assert program("POST", "keys/", {**new, **given}).json()["unknown_fields"] == kept


def test_it_refuses_unknown_fields_by_name(program, cast):
    refused = program("POST", "keys/", {"team": "team-a", "name": "n", "environment": "sandbox", "id": "x"})
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "id"


def test_it_lists_every_complaint(program, cast):
    error = program("POST", "keys/", {"team": "team-a", "environment": "moon"}).json()["error"]
    assert set(error["details"]) == {"name", "environment"} and error["request_id"].startswith("req_")


def test_it_refuses_ambiguous_json(cast):
    headers = {"Authorization": f"Bearer {make.make_key(cast.team_a, 'a', scopes=ADMIN)[1]}"}
    for raw in ('{"name": "a", "name": "b"}', '{"name": NaN}', "[1]", "nonsense"):
        refused = Client().post("/api/keys/", raw, content_type="application/json", headers=headers)
        assert refused.status_code == 400, raw


def test_it_refuses_what_forms_can_send(cast):
    headers = {"Authorization": f"Bearer {make.make_key(cast.team_a, 'a', scopes=ADMIN)[1]}"}
    refused = Client().post("/api/keys/", {"name": "a"}, headers=headers)
    assert refused.status_code == 415 and refused.json()["error"]["type"] == "invalid_request_error"


def test_a_session_needs_a_csrf_token(cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    assert client.get("/api/teams/").status_code == 200
    refused = client.patch("/api/teams/team-a/", {"name": "X"}, content_type="application/json")
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "csrf_failed"
    assert Team.objects.get(slug="team-a").name == "Team A"


def test_it_changes_a_team_unless_somebody_else_did(cast):
    client, kind = Client(), {"content_type": "application/json"}
    client.force_login(cast.alice)
    seen = client.get("/api/teams/team-a/").json()["revision"]
    named = client.patch("/api/teams/team-a/", {"name": "X", "seen_revision": seen}, **kind)
    assert (named.json()["name"], named.json()["revision"]) == ("X", seen + 1)
    late = client.patch("/api/teams/team-a/", {"requires_two_factor": True, "seen_revision": seen}, **kind)
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
    assert not Team.objects.get(slug="team-a").requires_two_factor


def test_a_key_without_the_scope_is_refused_by_the_name_of_the_scope(cast):
    sample = {"team": "team-a", "name": "A week", "alias": "chat", "number": 10, "order": "random"}
    prompt = {"team": "team-a", "slug": "team-a/answer", "kind": "text"}
    builds, named = make.make_key(cast.team_a, "builds", scopes=["prompts:write"])[1], []
    for text, method, path, body in (
        (cast.kim_text, "GET", "keys/", None),
        (cast.kim_text, "PATCH", "teams/team-a/", {"name": "X"}),
        (cast.kim_text, "POST", "prompts/", prompt),
        (builds, "POST", "datasets/sample/", sample),
    ):
        refused = Program(text)(method, path, body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "policy_denied")
        named.append(re.findall("`(.+?)`", refused.json()["error"]["message"]))
    assert named == [["keys:manage"], ["team:manage"], ["prompts:write"], ["audit:read", "audit:content"]]
    person = Client()
    person.force_login(cast.bob)
    assert "key" not in person.get("/api/keys/").json()["error"]["message"]


def test_bad_keys_get_one_body(cast):
    revoked, text = make.make_key(cast.team_a, "old")
    from console.teams.actors import SYSTEM
    from console.teams.services.keys import revoke_key

    revoke_key(actor=SYSTEM, key=revoked)
    said = {Program(t)("GET", "me/").json()["error"]["message"] for t in (text, "fk_live_nonsense")}
    assert len(said) == 1


def test_nobody_gets_401(cast):
    assert Client().get("/api/teams/").status_code == 401


def test_unknown_addresses_and_methods_answer_in_json(program, cast):
    assert program("GET", "nothing/here/").json()["error"]["code"] == "unknown_route"
    refused = program("PUT", "teams/")
    assert refused.status_code == 405 and refused.json()["error"]["request_id"]


def test_it_changes_members_and_keeps_an_owner(program, cast, client):
    bob = Membership.objects.get(user=cast.bob)
    assert program("PATCH", f"teams/team-a/members/{bob.pk}/", {"role": "approver"}).status_code == 403
    assert program("PATCH", f"teams/team-a/members/{bob.pk}/", {"role": "member"}).json()["role"] == "member"
    alice = Membership.objects.get(user=cast.alice)
    assert program("DELETE", f"teams/team-a/members/{alice.pk}/").status_code == 400
    assert program("DELETE", f"teams/team-a/members/{bob.pk}/").status_code == 204
    own = Membership.objects.get(user=make.make_member(cast.team_a))
    client.force_login(own.user)
    assert client.delete(f"/api/teams/team-a/members/{alice.pk}/").status_code == 403
    assert client.delete(f"/api/teams/team-a/members/{own.pk}/").status_code == 204, "everybody may leave"


def test_it_invites_and_revokes(program, cast):
    sent = program("POST", "teams/team-a/invitations/", {"email": "new@example.com", "role": "member"})
    assert sent.status_code == 201 and "/invitations/" in sent.json()["link"]
    pk = sent.json()["id"]
    assert program("DELETE", f"teams/team-a/invitations/{pk}/").status_code == 204
    assert Invitation.objects.get(pk=pk).revoked_at


def test_people_are_for_operators(program, cast):
    assert program("GET", "people/").status_code == 403
    client = client_of(cast.operator)
    assert client.get("/api/people/").status_code == 200
    changed = client.patch(f"/api/people/{cast.bob.pk}/", {"is_active": False}, content_type="application/json")
    assert changed.json()["is_active"] is False
    assert (
        client.post("/api/teams/", {"name": "New", "slug": "new"}, content_type="application/json").status_code == 201
    )


def test_lists_go_page_by_page(program, cast):
    for number in range(5):
        make.make_key(cast.team_a, f"key {number}")
    first = program("GET", "keys/?limit=4").json()
    second = program("GET", f"keys/?limit=4&cursor={first['next']}").json()
    assert len(first["data"]) == 4 and second["next"] is None
    assert not {k["id"] for k in first["data"]} & {k["id"] for k in second["data"]}
    assert program("GET", "keys/?cursor=nonsense!").status_code == 400
    assert program("GET", "keys/?limit=201").status_code == 400


def test_ten_more_keys_are_no_more_queries(program, cast, django_assert_max_num_queries):
    for number in range(12):
        make.make_key(cast.team_a, f"key {number}")
    with django_assert_max_num_queries(12):
        program("GET", "keys/")


def test_the_document_is_complete(tmp_path, monkeypatch):
    from django.core.management import call_command
    from drf_spectacular.drainage import GENERATOR_STATS

    # A warning names the file. Finding the line of every view and serializer, too, takes most of the time.
    monkeypatch.setattr(GENERATOR_STATS, "enable_trace_lineno", lambda: None)
    path = tmp_path / "openapi.json"
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", str(path))
    # What the generator's own check lets pass, and others do not.
    enums = re.findall(r'"enum": (\[[^\]]*\])', path.read_text())
    assert enums and all(len(set(names)) == len(names) for names in map(json.loads, enums))


def test_the_document_is_written_once_in_each_form(cast):
    _rendered.cache_clear()
    client = client_of(cast.bob)
    for form, times in (("application/json", 1), ("application/json", 1), ("application/vnd.oai.openapi+json", 2)):
        answer = client.get("/api/schema/", headers={"Accept": form})
        assert (answer.status_code, answer["Content-Type"]) == (200, form)
        assert "/api/schema/" not in answer.json()["paths"] and answer.json()["openapi"].startswith("3.")
        assert _rendered.cache_info().misses == times
