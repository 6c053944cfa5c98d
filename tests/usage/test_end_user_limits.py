"""Limits for each end user as people and programs set them and look at them, and what is kept of them."""

import datetime as dt
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.models import AuditEvent
from console.core import clock
from console.core.errors import BadInput
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.programs import Program
from tests.usage.rows import a_call
from tests.usage.test_alerts import mails
from usage_app.models import EndUserCounter, Quota, QuotaCounter
from usage_app.queries.quotas import remaining
from usage_app.queries.recount import differences
from usage_app.services import quotas, recount
from usage_app.services.pruning import prune
from usage_app.sql import end_user_counters

__all__ = ["mails"]
pytestmark = pytest.mark.django_db


def make_quota(cast: Cast, **fields) -> Quota:
    fields = {"metric": "requests", "window": "day", "limit": 50, "each_end_user": True} | fields
    return quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, **fields)


def use(quota: Quota, **used: int) -> None:
    for name, amount in used.items():
        EndUserCounter.objects.create(quota=quota, period_start=quota.opening_period, end_user=name, used=amount)


def text(response) -> str:
    return response.content.decode()


# The form -------------------------------------------------------------------------------------------------------------


def form_of(cast: Cast, **fields) -> dict[str, str]:
    return {
        "applies_to": f"team:{cast.team_a.pk}",
        "what": "cost:month",
        "limit": "1",
        "mode": "hard",
        "counted": "pass",
    } | fields


def test_an_owner_limits_each_end_user_of_the_team_and_not_the_team(cast: Cast) -> None:
    alice = client_of(cast.alice)
    form = text(alice.get("/quotas/new/"))
    assert f"team:{cast.team_a.pk}" in form and f"shadow:{cast.team_a.pk}" not in form
    assert "calls without one are not limited" in form and "safety_identifier" in form
    together = alice.post("/quotas/new/", form_of(cast, counted="together"))
    assert together.status_code == 422 and "Only operators limit all of a team together" in text(together)
    assert alice.post("/quotas/new/", form_of(cast)).status_code == 302
    quota = Quota.objects.get()
    assert (quota.each_end_user, quota.nameless, quota.limit) == (True, "pass", 1_000_000)
    assert quota.title == "Cost per month for each end user" and not quota.is_team_wide
    again = alice.post("/quotas/new/", form_of(cast, counted="refuse"))
    assert again.status_code == 422 and "has this quota already" in text(again)
    assert client_of(cast.operator).post("/quotas/new/", form_of(cast, counted="together")).status_code == 302, (
        "beside it"
    )
    assert client_of(cast.bob).post("/quotas/new/", form_of(cast)).status_code == 403


@pytest.mark.parametrize("fields", [{"what": "concurrency:"}, {"applies_to": "shadow"}])
def test_what_no_end_user_has_is_no_limit_for_each(cast: Cast, fields: dict[str, str]) -> None:
    if "applies_to" in fields:
        fields = {"applies_to": f"shadow:{cast.team_a.pk}"}
    refused = client_of(cast.operator).post("/quotas/new/", form_of(cast, **fields))
    assert refused.status_code == 422 and not Quota.objects.exists()
    for more in ({"metric": "concurrency", "window": ""}, {"purpose": "shadow"}, {"nameless": "no"}):
        with pytest.raises(BadInput):
            make_quota(cast, **more)
    with pytest.raises(BadInput):
        make_quota(cast, each_end_user=False, nameless="refuse")


def test_what_is_changed_is_on_record_before_and_after(cast: Cast) -> None:
    quota = make_quota(cast)
    alice, path = client_of(cast.alice), f"/quotas/{quota.public_id}/change/"
    assert "Calls without an end user" in text(alice.get(path))
    assert alice.post(path, {"limit": "60", "mode": "soft", "nameless": "refuse"}).status_code == 302
    shown = text(alice.get("/quotas/"))
    assert "50 to 60, hard to soft, calls that name no end user pass to refuse" in shown
    detail = json.loads(AuditEvent.objects.get(action="quota.changed").detail)
    assert detail["before"] == {"limit": 50, "mode": "hard", "nameless": "pass"}
    assert detail["after"] == {"limit": 60, "mode": "soft", "nameless": "refuse"}
    assert alice.post(f"/quotas/{quota.public_id}/remove/").status_code == 302
    lines = {line.action: json.loads(line.detail) for line in AuditEvent.objects.filter(action__startswith="quota.")}
    assert lines["quota.created"]["after"]["nameless"] == "pass"
    assert lines["quota.deleted"]["before"]["nameless"] == "refuse"
    other = make_quota(cast, each_end_user=False, key=cast.kim)
    assert "Calls without an end user" not in text(alice.get(f"/quotas/{other.public_id}/change/"))


def test_raising_it_says_that_all_get_more(cast: Cast) -> None:
    quota = make_quota(cast)
    assert "the increase applies to all of them" in text(
        client_of(cast.alice).get(f"/quotas/{quota.public_id}/increase/")
    )


# The page -------------------------------------------------------------------------------------------------------------


def test_the_page_says_how_many_are_near_it_and_who(cast: Cast) -> None:
    quota = make_quota(cast)
    assert "Nobody is at 80 % of it" in text(client_of(cast.bob).get("/quotas/"))
    use(quota, ann=50, ben=2050, cid=40, dee=39)
    EndUserCounter.objects.create(
        quota=quota, period_start=quota.opening_period - dt.timedelta(days=1), end_user="eve", used=99
    )
    page = text(client_of(cast.bob).get("/quotas/"))
    assert "2 end users at the limit, 1 end user near it" in page and "2,050, 4,100 %" in page
    assert f"/quotas/{quota.public_id}/end-users/" in page and "ann" not in page.partition("<main")[2]
    shown = text(client_of(cast.alice).get(f"/quotas/{quota.public_id}/end-users/"))
    assert "2 end users at the limit" in shown and "4,100 %" in shown
    assert shown.index(">ben<") < shown.index(">ann<") < shown.index(">cid<") < shown.index(">dee<")
    assert "eve" not in shown and "/audit/?team=team-a&amp;end_user=ben" in shown.replace(
        "team=team-a&end_user", "team=team-a&amp;end_user"
    )
    one = text(client_of(cast.alice).get(f"/quotas/{quota.public_id}/end-users/?end_user= cid "))
    assert ">cid<" in one and ">ben<" not in one and "near the limit" in one
    assert "No call of nobody was counted" in text(
        client_of(cast.alice).get(f"/quotas/{quota.public_id}/end-users/?end_user=nobody")
    )


def test_end_users_of_other_teams_and_of_other_quotas_are_not_there(cast: Cast) -> None:
    quota, plain = make_quota(cast), make_quota(cast, each_end_user=False)
    path = f"/quotas/{quota.public_id}/end-users/"
    assert client_of(cast.charlie).get(path).status_code == 404
    assert client_of(cast.alice).get(f"/quotas/{plain.public_id}/end-users/").status_code == 404
    assert "No end user yet" in text(client_of(cast.bob).get(path))
    assert client_of(cast.alice).post(path).status_code == 405


def test_many_end_users_are_no_more_queries_and_no_more_rows(cast: Cast, monkeypatch) -> None:
    monkeypatch.setattr(end_user_counters, "MOST_COUNTED", 20)
    monkeypatch.setattr("usage_app.queries.quota_state.MOST_COUNTED", 20)
    quota = make_quota(cast)
    bob = client_of(cast.bob)
    use(quota, ann=50)
    counts = []
    text(bob.get("/quotas/"))  # what only the first page of a session asks
    for more in (60, 0):
        with CaptureQueriesContext(connection) as page:
            text(bob.get("/quotas/"))
        with CaptureQueriesContext(connection) as end_users:
            text(bob.get(f"/quotas/{quota.public_id}/end-users/"))
        counts.append((len(page), len(end_users)))
        use(quota, **{f"user-{n}": 50 for n in range(more)})
    assert counts[0] == counts[1]
    assert "More than 20 end users at the limit" in text(bob.get("/quotas/"))
    assert text(bob.get(f"/quotas/{quota.public_id}/end-users/")).count('data-label="Status"') == 50


def test_what_the_pages_ask_is_read_from_the_index(cast: Cast) -> None:
    quota = make_quota(cast)
    EndUserCounter.objects.bulk_create(
        EndUserCounter(quota=quota, period_start=quota.opening_period, end_user=f"user-{n}", used=n % 60)
        for n in range(5_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE usage_endusercounter")
        with CaptureQueriesContext(connection) as asked:
            client_of(cast.alice).get(f"/quotas/{quota.public_id}/end-users/")
            client_of(cast.alice).get(f"/quotas/{quota.public_id}/end-users/?end_user=user-7")
        questions = [q["sql"] for q in asked if "usage_endusercounter" in q["sql"]]
        assert len(questions) == 4
        for question in questions:
            cursor.execute(f"EXPLAIN {question}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan on usage_endusercounter" not in plan and "Index" in plan, plan


# Alerts, forecasts, what is left --------------------------------------------------------------------------------------


def test_a_hard_limit_for_each_alerts_nobody_and_a_soft_one_once(cast: Cast, mails) -> None:
    hard, soft = make_quota(cast, limit=10), make_quota(cast, limit=10, window="month", mode="soft")
    use(hard, ann=10)
    use(soft, ann=9)
    assert mails() == []
    EndUserCounter.objects.filter(quota=soft).update(used=10)
    sent = mails()
    assert sent[0].subject == "An end user of Team A has used all of its quota: Requests per month for each end user"
    assert "1 end user at the limit" in sent[0].body and "ann" not in sent[0].body
    use(soft, ben=10)
    assert mails() == []


def test_what_one_end_user_has_left_is_said_only_for_that_one(cast: Cast) -> None:
    quota, team_wide = make_quota(cast), make_quota(cast, each_end_user=False)
    use(quota, ann=20)
    assert [s.quota for s in remaining(cast.team_a.pk, cast.kim.pk)] == [team_wide]
    left = {s.quota.pk: s.left for s in remaining(cast.team_a.pk, cast.kim.pk, end_user="ann")}
    assert left == {quota.pk: 30, team_wide.pk: 50}
    assert {s.left for s in remaining(cast.team_a.pk, cast.kim.pk, end_user="ben")} == {50}


# Programs -------------------------------------------------------------------------------------------------------------


def test_programs_set_read_and_change_it(cast: Cast) -> None:
    program = Program(user=cast.alice)
    body = {"team": "team-a", "metric": "cost", "window": "month", "limit": "1.00", "each_end_user": True}
    made = program("POST", "quotas/", body)
    assert made.status_code == 201, made.json()
    said = made.json()
    assert (said["each_end_user"], said["nameless"], said["used"], said["left"]) == (True, "pass", None, None)
    assert said["end_users"] == {"at_limit": 0, "near": 0} and said["forecast"] is None
    quota = Quota.objects.get()
    use(quota, ann=1_200_000, ben=250_000)
    path = f"quotas/{said['id']}/"
    assert program("GET", path).json()["end_users"] == {"at_limit": 1, "near": 0}
    assert program("PATCH", path, {"nameless": "refuse"}).json()["nameless"] == "refuse"
    first = {"end_user": "ann", "used": "1.20", "reserved": "0.00", "left": "0.00"}
    assert [row["end_user"] for row in program("GET", f"{path}end_users/").json()["data"]] == ["ann", "ben"]
    assert program("GET", f"{path}end_users/?end_user=ann").json() == {"data": [first], "next": None}
    assert Program(user=cast.charlie)("GET", f"{path}end_users/").status_code == 404
    left = program("GET", "usage/limits/?team=team-a&end_user=ben").json()["data"]
    assert [(row["used"], row["left"]) for row in left] == [("0.25", "0.75")]
    assert program("GET", "usage/limits/?team=team-a").json()["data"] == []
    refused = program("POST", "quotas/", body | {"metric": "tokens", "limit": 5, "purpose": "shadow"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "each_end_user")
    plain = program("POST", "quotas/", body | {"each_end_user": False})
    assert plain.status_code == 403, "all of a team together is for operators to limit"
    other = make_quota(cast, each_end_user=False)
    assert program("GET", f"quotas/{other.public_id}/end_users/").status_code == 404


# What is kept ---------------------------------------------------------------------------------------------------------


def test_counters_of_past_periods_go_in_every_window(cast: Cast) -> None:
    moment, kept = clock.now(), set()
    for window, days in (("minute", 1), ("hour", 2), ("day", 5), ("month", 70)):
        quota = make_quota(cast, window=window)
        use(quota, ann=1)
        kept.add((quota.pk, "ann"))
        past = clock.period_start(window, moment - dt.timedelta(days=days))  # type: ignore[arg-type]
        for name, reserved in (("ann", 0), ("open", 1)):
            EndUserCounter.objects.create(quota=quota, period_start=past, end_user=name, used=1, reserved=reserved)
        kept.add((quota.pk, "open"))
    prune()
    assert set(EndUserCounter.objects.values_list("quota_id", "end_user")) == kept
    assert EndUserCounter.objects.count() == 8


def test_counters_are_counted_again_from_the_log_and_set_right(cast: Cast) -> None:
    a_call(cast.team_a, end_user="ann")
    quota = make_quota(cast, metric="tokens", limit=10**6)
    assert EndUserCounter.objects.get().opening == EndUserCounter.objects.get().used > 0
    assert differences() == []
    a_call(cast.team_a, end_user="ben")
    a_call(cast.team_b, end_user="ben")
    a_call(cast.team_a)
    a_call(cast.team_a, end_user="ann", status="refused", prompt_tokens=0, completion_tokens=0)
    (missed,) = differences()
    assert (missed.end_user, missed.used) == ("ben", 0) and "for each end user, ben, period of" in str(missed)
    recount.repair(missed)
    assert differences() == [] and EndUserCounter.objects.get(end_user="ben").used == missed.true_used
    EndUserCounter.objects.filter(end_user="ann").update(reserved=7)
    (wrong,) = differences()
    assert (wrong.end_user, wrong.reserved, wrong.true_reserved) == ("ann", 7, 0)
    assert not QuotaCounter.objects.filter(quota=quota).exists()
