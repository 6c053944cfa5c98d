"""Channels of alerts over the management API: the JSON face of the same services as the pages."""

import pytest

from console.core.crypto import decrypt
from console.notices.models import Channel
from tests import make
from tests.conftest import Cast
from tests.programs import Program
from tests.upstream import Upstream

pytestmark = pytest.mark.django_db


def test_it_sets_up_tests_changes_and_deletes(cast: Cast, upstream: Upstream) -> None:
    send = Program(user=cast.alice)
    body = {"kind": "webhook", "name": "On duty", "team": "team-a", "wants": ["quota"], "url": f"{upstream.url}/t0p"}
    made = send("POST", "alerts/channels/", body).json()
    assert made["secret"] == decrypt(Channel.objects.get().secret) and made["has_secret"] and made["team"] == "team-a"
    assert send("POST", "alerts/channels/", body).status_code == 409
    for wrong in (
        {"wants": ["shutdown"]},
        {"url": ""},
        {"url": "http://u:p@x/"},
        {"kind": "sms"},
        {"team": "team-b"},
        {"alias": "x"},
    ):
        assert send("POST", "alerts/channels/", {**body, "name": "Other", **wrong}).status_code in (400, 404)
    refused = send("POST", "alerts/channels/", {**body, "team": None})
    assert refused.status_code == 403, "the installation's are for operators"

    one = f"alerts/channels/{made['id']}/"
    upstream.enqueue("full", status=507)
    assert send("POST", f"{one}test/").json() == {
        "is_accepted": False, "problem": "It answered 507: full", "status": None, "said": "",
    }  # fmt: skip
    shown = send("GET", one)
    assert shown.json()["problem"] == "It answered 507: full" and "t0p" not in shown.content.decode()
    assert "secret" not in shown.json() and shown.json()["host"] in upstream.url
    changed = send("PATCH", one, {"wants": ["drift", "quota"], "is_active": False}).json()
    assert (changed["wants"], changed["is_active"], changed["secret"]) == (["quota", "drift"], False, "")
    late = send("PATCH", one, {"name": "Late", "is_active": True, "seen_revision": 1})
    assert (late.status_code, late.json()["error"]["code"], changed["revision"]) == (409, "conflict", 3)
    assert send("PATCH", one, {"is_active": True, "seen_revision": 2}).status_code == 409, "it was switched off since"
    on = send("PATCH", one, {"is_active": True, "seen_revision": 3}).json()
    assert (on["is_active"], on["revision"]) == (True, 4)
    assert [row["id"] for row in send("GET", "alerts/channels/?team=team-a").json()["data"]] == [made["id"]]
    assert Program(user=cast.charlie)("GET", one).status_code == 404
    assert send("DELETE", one).status_code == 204 and not Channel.objects.exists()


def test_it_lists_deliveries_and_tries_again(cast: Cast) -> None:
    mine, theirs = make.make_channel(cast.team_a), make.make_channel(None)
    failed, _ = make.make_delivery(mine), make.make_delivery(theirs)
    send = Program(user=cast.alice)
    (row,) = send("GET", f"alerts/deliveries/?team=team-a&channel={mine.pk}&state=failed").json()["data"]
    assert (row["id"], row["kind"], row["problem"]) == (str(failed.pk), "quota", "It answered 404.")
    assert len(send("GET", "alerts/deliveries/").json()["data"]) == 1
    assert len(Program(user=cast.operator)("GET", "alerts/deliveries/").json()["data"]) == 2
    assert send("GET", "alerts/deliveries/?state=lost").status_code == 400
    assert send("GET", "alerts/deliveries/?channel=x").status_code == 400
    again = send("POST", f"alerts/deliveries/{failed.pk}/try-again/")
    assert again.status_code == 202 and again.json()["state"] == "waiting"
    assert send("POST", f"alerts/deliveries/{failed.pk}/try-again/").status_code == 409


def test_it_sets_changes_and_removes_rules(cast: Cast) -> None:
    send = Program(user=cast.alice)
    body = {"team": "team-a", "metric": "errors", "threshold": 5}
    made = send("POST", "alerts/rules/", body)
    assert made.status_code == 201, made.json()
    rule = made.json()
    assert (rule["minutes"], rule["least_calls"], rule["alerting_since"]) == (10, 20, None)
    assert (rule["environment"], rule["alias"]) == ("production", "")
    assert send("POST", "alerts/rules/", body).status_code == 409
    for wrong in ({"threshold": 100}, {"threshold": 0}, {"minutes": 61}, {"metric": "cost"}, {"team": "team-b"}):
        assert send("POST", "alerts/rules/", {**body, "minutes": 5, **wrong}).status_code in (400, 404)
    assert send("POST", "alerts/rules/", {**body, "team": None}).status_code == 403, "of all teams: for operators"
    one = f"alerts/rules/{rule['id']}/"
    assert send("PATCH", one, {"threshold": 8, "seen_revision": 1}).json()["threshold"] == 8
    assert send("PATCH", one, {"threshold": 9, "seen_revision": 1}).status_code == 409
    assert Program(user=cast.charlie)("GET", one).status_code == 404
    assert [row["id"] for row in send("GET", "alerts/rules/?team=team-a").json()["data"]] == [rule["id"]]
    assert send("DELETE", one).status_code == 204 and not send("GET", "alerts/rules/").json()["data"]
