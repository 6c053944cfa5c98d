"""Quotas, usage and what is left over the management API."""

import datetime as dt
import uuid
from typing import Any

import pytest

from console.audit.models import AuditEvent
from console.chat.services.widgets import change_widget, delete_widget
from console.core.clock import now
from console.teams.actors import SYSTEM
from tests import make
from tests.conftest import Cast
from tests.programs import Program
from tests.usage.rows import a_sum
from usage_app.models import Quota, QuotaCounter
from usage_app.services import quotas

SCOPES = ["usage:read", "quotas:manage"]


@pytest.fixture
def program(cast: Cast) -> Program:
    return Program(make.make_key(cast.team_a, "admin", scopes=make.TEAM_SCOPES)[1])


def of_kim(cast: Cast, **changes: Any) -> dict[str, Any]:
    body = {"team": "team-a", "key": str(cast.kim.pk), "metric": "cost", "window": "month", "limit": "12.50"}
    return body | changes


def a_quota(team: Any, **fields: Any) -> Quota:
    return quotas.set_quota(
        actor=SYSTEM, team=team, **{"metric": "requests", "window": "day", "limit": 10, "mode": "hard"} | fields
    )


def test_a_word_there_is_not_is_refused_with_those_there_are(program, cast):
    refused = program("POST", "quotas/", of_kim(cast, metric="money")).json()["error"]
    assert (refused["param"], refused["code"]) == ("metric", "invalid_request")
    assert "'money' is not one of requests, tokens, cost, concurrency." in refused["message"]
    refused = program("POST", "alerts/channels/", {"team": "team-a", "name": "n", "kind": "email", "wants": ["all"]})
    assert "'all' is not one of " in refused.json()["error"]["message"] and "quota" in refused.text


def test_it_sets_shows_changes_and_lifts_a_quota(program, cast):
    made = program("POST", "quotas/", of_kim(cast))
    assert made.status_code == 201, made.json()
    said = made.json()
    assert (said["limit"], said["left"], said["used"], said["key"]) == ("12.50", "12.50", "0.00", str(cast.kim.pk))
    quota = Quota.objects.get(public_id=said["id"])
    assert quota.limit == 12_500_000
    address = f"quotas/{said['id']}/"
    changed = program("PATCH", address, {"limit": "0.000001", "mode": "soft"}).json()
    assert (changed["limit"], changed["mode"]) == ("0.000001", "soft")
    assert program("PATCH", address, {"limit": "9.00", "seen_revision": said["revision"]}).status_code == 409
    assert program("GET", address).json() == changed and changed["revision"] == said["revision"] + 1
    assert [row["id"] for row in program("GET", "quotas/?team=team-a").json()["data"]] == [said["id"]]
    assert program("DELETE", address).status_code == 204 and program("GET", address).status_code == 404
    lines = AuditEvent.objects.filter(target_id=quota.pk, actor_kind="key", action__startswith="quota.")
    assert sorted(line.action for line in lines) == ["quota.changed", "quota.created", "quota.deleted"]


def test_it_limits_agents_and_widgets_of_the_team(program, cast):
    """Whose widget is renamed or taken away takes its quotas along."""
    widget, foreign = make.make_widget(cast.team_a), make.make_widget(cast.team_b)
    made = [
        program("POST", "quotas/", of_kim(cast, key=None, **inside))
        for inside in ({"agent": widget.agent.slug}, {"widget": str(widget.pk)})
    ]
    assert [answer.status_code for answer in made] == [201, 201], made[0].json()
    assert [(m.json()["agent"], m.json()["widget"]) for m in made] == [
        (widget.agent.slug, None),
        ("", str(widget.pk)),
    ]
    for name, value in (("agent", foreign.agent.slug), ("widget", str(foreign.pk))):
        refused = program("POST", "quotas/", of_kim(cast, key=None, **{name: value}))
        assert (refused.status_code, refused.json()["error"]["param"]) == (404, name)
    both = program("POST", "quotas/", of_kim(cast, agent=widget.agent.slug))
    assert (both.status_code, both.json()["error"]["param"]) == (400, "agent")

    left = [row["agent"] for row in program("GET", "usage/limits/?alias=support-chat").json()["data"]]
    assert left == [], "of an agent only when it is asked"
    left = program("GET", f"usage/limits/?alias=support-chat&agent={widget.agent.slug}").json()["data"]
    assert [row["agent"] for row in left] == [widget.agent.slug]

    change_widget(actor=SYSTEM, widget=widget, name="Till")
    assert Quota.objects.get(widget_id=widget.pk).title == "Cost per month of widget Till"
    delete_widget(actor=SYSTEM, widget=widget)
    assert not Quota.objects.filter(widget_id=widget.pk).exists()


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"limit": 12}, "limit"),
        ({"limit": "1.0000001"}, "limit"),
        ({"limit": "2 k"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"metric": "tokens", "limit": "12"}, "limit"),
        ({"metric": "tokens", "limit": 1.5}, "limit"),
        ({"metric": "tokens", "limit": True}, "limit"),
        ({"metric": "concurrency", "limit": 1}, "window"),
        ({"note": "x"}, "note"),
    ],
)
def test_it_refuses_what_it_cannot_read(program, cast, change, param):
    refused = program("POST", "quotas/", of_kim(cast, **change))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert not Quota.objects.exists()


def test_only_operators_limit_a_whole_team(program, cast):
    body = of_kim(cast, key=None, metric="tokens", limit=1000)
    assert program("POST", "quotas/", body).status_code == 403
    made = Program(user=cast.operator)("POST", "quotas/", body)
    assert made.status_code == 201 and made.json()["limit"] == 1000
    copies = Program(user=cast.operator)("POST", "quotas/", body | {"purpose": "shadow"})
    assert copies.status_code == 201 and copies.json()["purpose"] == "shadow"


def test_members_and_reading_keys_see_quotas_and_change_none(cast):
    quota = a_quota(cast.team_a, key=cast.kim)
    reader = Program(make.make_key(cast.team_a, scopes=["usage:read"])[1])
    for who in (Program(user=cast.bob), reader):
        assert who("GET", f"quotas/{quota.public_id}/").json()["limit"] == 10
        assert who("PATCH", f"quotas/{quota.public_id}/", {"limit": 99}).status_code == 403
        assert who("DELETE", f"quotas/{quota.public_id}/").status_code == 403
        assert who("POST", f"quotas/{quota.public_id}/increases/", {}).status_code == 403
        assert who("POST", "quotas/", of_kim(cast)).status_code == 403
    caller = Program(make.make_key(cast.team_a, scopes=["models:call"])[1])
    assert caller("GET", "quotas/").status_code == 403
    assert Program()("GET", "quotas/").status_code == 401
    quota.refresh_from_db()
    assert quota.limit == 10


def test_another_teams_quota_looks_like_none(program, cast):
    key, _ = make.make_key(cast.team_b)
    quota = a_quota(cast.team_b, key=key)
    ends_at = now() + dt.timedelta(days=1)
    increase = quotas.increase_quota(actor=SYSTEM, quota=quota, amount=5, reason="a launch", ends_at=ends_at)
    none = uuid.uuid4()
    for method, theirs, nothing in [
        ("GET", f"quotas/{quota.public_id}/", f"quotas/{none}/"),
        ("PATCH", f"quotas/{quota.public_id}/", f"quotas/{none}/"),
        ("DELETE", f"quotas/{quota.public_id}/", f"quotas/{none}/"),
        ("POST", f"quotas/{quota.public_id}/increases/", f"quotas/{none}/increases/"),
        ("DELETE", f"quotas/{quota.public_id}/increases/{increase.pk}/", f"quotas/{none}/increases/{none}/"),
        ("GET", "usage/summary/?team=team-b", "usage/summary/?team=nothing"),
        ("GET", "usage/limits/?team=team-b", "usage/limits/?team=nothing"),
        ("GET", "quotas/?team=team-b", "quotas/?team=nothing"),
    ]:
        one, other = program(method, theirs, {}), program(method, nothing, {})
        assert one.status_code == other.status_code == 404, (method, theirs)
        assert one.json()["error"]["message"] == other.json()["error"]["message"]
    assert program("GET", "quotas/").json()["data"] == []
    theirs = program("POST", "quotas/", of_kim(cast, key=str(key.pk)))
    assert theirs.status_code == 404 and Quota.objects.count() == 1


def test_it_raises_a_limit_for_a_while(program, cast):
    quota = a_quota(cast.team_a, key=cast.kim, metric="cost", limit=1_000_000)
    other = a_quota(cast.team_a, key=cast.kim, metric="tokens")
    ends_at = (now() + dt.timedelta(hours=2)).isoformat()
    body = {"amount": "0.50", "reason": "a launch", "ends_at": ends_at}
    made = program("POST", f"quotas/{quota.public_id}/increases/", body)
    assert made.status_code == 201 and made.json()["amount"] == "0.50"
    said = program("GET", f"quotas/{quota.public_id}/").json()
    assert (said["limit"], said["limit_now"], len(said["increases"])) == ("1.00", "1.50", 1)
    pk = made.json()["id"]
    assert program("DELETE", f"quotas/{other.public_id}/increases/{pk}/").status_code == 404
    assert program("DELETE", f"quotas/{quota.public_id}/increases/{pk}/").status_code == 204
    assert program("DELETE", f"quotas/{quota.public_id}/increases/{pk}/").status_code == 409
    assert program("GET", f"quotas/{quota.public_id}/").json()["limit_now"] == "1.00"


def test_it_says_what_is_left_for_the_calling_key(cast):
    kim, text = make.make_key(cast.team_a, scopes=["usage:read"])
    mine = a_quota(cast.team_a, key=kim)
    whole = a_quota(cast.team_a, metric="tokens", limit=500)
    a_quota(cast.team_a, key=cast.kim)
    QuotaCounter.objects.filter(quota=mine).update(used=3, reserved=2)
    found = {row["id"]: row["left"] for row in Program(text)("GET", "usage/limits/").json()["data"]}
    assert found == {str(mine.public_id): 5, str(whole.public_id): 500}
    person = Program(user=cast.bob)
    assert person("GET", "usage/limits/").status_code == 400
    left = person("GET", "usage/limits/?team=team-a").json()["data"]
    assert [row["id"] for row in left] == [str(whole.public_id)]


def test_it_sums_what_was_used(program, cast):
    a_sum(cast.team_a, now(), durations=(200_000, 300_000))
    a_sum(cast.team_b, now())
    said = program("GET", "usage/summary/?period=24h").json()
    assert (said["now"]["requests"], said["now"]["cost"], said["now"]["tokens"]) == (2, "0.002", 300)
    assert len(said["steps"]) == 24 and said["aliases"][0]["name"] == "support-chat"
    assert program("GET", "usage/summary/?environment=sandbox").json()["now"]["requests"] == 0
    assert program("GET", "usage/summary/?period=1y").json()["error"]["param"] == "period"
