"""What each end user cost: from the log's lines to the bill, its file and its face for programs."""

import datetime as dt
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.models import AuditEvent
from console.core import clock
from console.pages import costs as bills
from console.teams.models import Team
from console.teams.services.teams import archive_team
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_call, a_sum
from tests.usage.test_costs import months, table
from tests.usage.test_overview import text
from tests.usage.test_roll_up import next_tx, roll_up_past
from usage_app.models import UsageEndUser
from usage_app.services.pruning import prune


def a_month(team: Team, at: dt.datetime, name: str, cost_micros: int, requests: int = 1) -> None:
    """What roll_up would have made of one end user's calls of that month."""
    for end_user in (name, ""):
        row, _ = UsageEndUser.objects.get_or_create(team_id=team.pk, month=at.date().replace(day=1), end_user=end_user)
        row.cost_micros, row.requests = row.cost_micros + cost_micros, row.requests + requests
        row.save()


@pytest.fixture
def spent(cast: Cast) -> Cast:
    """Of 20 dollars of Team A in this month 9 are customer-1's, 5 customer-2's, 1 a third's and 5 nobody's."""
    present, last = months()
    a_sum(cast.team_a, present, requests=20, cost_micros=20_000_000)
    a_sum(cast.team_a, last, requests=4, cost_micros=4_000_000)
    a_sum(cast.team_b, present, requests=1, cost_micros=7_000_000)
    for name, cost in (("customer-1", 9_000_000), ("customer-2", 5_000_000), ("customer-3", 1_000_000)):
        a_month(cast.team_a, present, name, cost)
    a_month(cast.team_a, last, "customer-1", 3_000_000)
    a_month(cast.team_b, present, "customer-1", 7_000_000)
    return cast


@pytest.mark.usefixtures("committed_db")
def test_calls_are_summed_by_month_and_end_user() -> None:
    team, other = make.make_team("Support"), make.make_team("Other")
    at = dt.datetime(2026, 3, 31, 23, 59, tzinfo=dt.UTC)
    a_call(team, at=at, end_user="customer-1")
    a_call(team, at=at + dt.timedelta(minutes=2), end_user="customer-1")
    roll_up_past(next_tx())
    a_call(team, at=at, end_user="customer-1", status="error", completion_tokens=0, cost_micros=7)
    a_call(team, at=at, end_user="customer-2", status="refused", prompt_tokens=0, completion_tokens=0, cost_micros=0)
    a_call(team, at=at, end_user="customer-2", type="tool")
    a_call(other, at=at, end_user="customer-1")
    a_call(other, at=at)
    roll_up_past(next_tx())
    rows = UsageEndUser.objects.order_by("month", "team_id", "end_user").values_list(
        "month", "team_id", "end_user", "requests", "errors", "refusals", "prompt_tokens", "cost_micros"
    )
    march, april = dt.date(2026, 3, 1), dt.date(2026, 4, 1)
    assert sorted(rows) == sorted(
        [
            (march, team.pk, "", 3, 1, 1, 200, 1007),
            (march, team.pk, "customer-1", 2, 1, 0, 200, 1007),
            (march, team.pk, "customer-2", 1, 0, 1, 0, 0),
            (march, other.pk, "", 1, 0, 0, 100, 1000),
            (march, other.pk, "customer-1", 1, 0, 0, 100, 1000),
            (april, team.pk, "", 1, 0, 0, 100, 1000),
            (april, team.pk, "customer-1", 1, 0, 0, 100, 1000),
        ]
    )


@pytest.mark.django_db
def test_the_page_names_the_dearest_and_adds_up(spent: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "SHOWN_END_USERS", 2)
    response = client_of(spent.alice).get("/costs/?by=end_user")
    page, table_of = response.text, text(response)
    order = ["Previous month", "customer-1", "$9.00", "$3.00", "customer-2", "$5.00", "All other end users", "$1.00"]
    order += ["No end user named", "$5.00", "Total", "$20.00", "$4.00"]
    place = 0
    for words in order:
        place = table_of.index(words, place)
    assert "customer-3" not in page and "$7.00" not in page
    assert "/audit/?team=team-a&amp;end_user=customer-1" in page
    all_teams = text(client_of(spent.operator).get("/costs/?by=end_user"))
    assert "$9.00" in all_teams and "$7.00" in all_teams and "$27.00" in all_teams


@pytest.mark.django_db
def test_who_sees_it(spent: Cast) -> None:
    assert client_of(spent.charlie).get("/costs/?by=end_user&team=team-a").status_code == 404
    assert client_of(spent.charlie).get("/costs/export.csv?by=end_user&team=team-a").status_code == 404
    assert client_of(spent.charlie).get("/api/usage/costs/?by=end_user&team=team-a").status_code == 404
    assert "customer-2" not in client_of(spent.charlie).get("/costs/?by=end_user").text
    bobs = text(client_of(spent.bob).get("/costs/?by=end_user"))
    assert "customer-2" in bobs and "/audit/?" not in bobs, "who may not see the log is not led to it"
    archive_team(actor=make.actor_for(spent.operator), team=spent.team_b)
    page = text(client_of(spent.operator).get("/costs/?by=end_user"))
    assert "$7.00" in page and "team=team-b&amp;end_user" not in page


@pytest.mark.django_db
def test_the_file_and_programs_have_the_same_lines(spent: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "MOST_END_USERS", 3)
    present, last = months()
    a_month(spent.team_a, present, "=cmd()", 500_000)
    client = client_of(spent.alice)
    rows = table(client.get("/costs/export.csv?by=end_user"))
    wanted = [
        ("end_user", "customer-1", "9.00"),
        ("end_user", "customer-2", "5.00"),
        ("end_user", "customer-3", "1.00"),
        ("others", "", "0.50"),
        ("nobody", "", "4.50"),
    ]
    assert [(row["kind"], row["name"], row["cost"]) for row in rows] == wanted
    assert {row["team"] for row in rows} == {"team-a"} and set(rows[0]) >= {"month", "currency", "requests"}
    event = AuditEvent.objects.get(action="costs.exported")
    assert json.loads(event.detail)["filter"]["by"] == ["end_user"]
    said = client.get("/api/usage/costs/?by=end_user").json()
    assert [(row["kind"], row["name"], row["cost"]) for row in said["data"]] == wanted
    assert said["total"]["cost"] == "20.00"
    monkeypatch.setattr(bills, "MOST_END_USERS", 9)
    assert [r["name"] for r in table(client.get("/costs/export.csv?by=end_user"))][3] == "'=cmd()"
    assert client.get(f"/costs/export.csv?by=end_user&month={last:%Y-%m}&to={present:%Y-%m}").status_code == 400


@pytest.mark.django_db
def test_programs_ask_for_one(spent: Cast) -> None:
    present, last = months()
    client = client_of(spent.alice)
    span = f"from={last:%Y-%m}&to={present:%Y-%m}&by=end_user"
    said = client.get(f"/api/usage/costs/?{span}&end_user=customer-1").json()
    assert [(row["month"], row["cost"]) for row in said["data"]] == [
        (f"{last:%Y-%m}", "3.00"),
        (f"{present:%Y-%m}", "9.00"),
    ]
    assert client.get(f"/api/usage/costs/?{span}&end_user=unknown").json()["data"] == []
    for query, param in (
        (span, "to"),
        ("by=team&end_user=customer-1", "end_user"),
        ("by=team,end_user", "by"),
    ):
        refused = client.get(f"/api/usage/costs/?{query}")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


@pytest.mark.django_db
def test_the_log_says_what_its_end_user_cost(spent: Cast) -> None:
    present, last = months()
    page = text(client_of(spent.alice).get("/audit/?end_user=customer-1"))
    assert f"{present:%B} so far: 1 call for $9.00. {last:%B}: 1 call for $3.00." in " ".join(page.split())
    assert "by=end_user" not in text(client_of(spent.alice).get("/audit/"))
    both = text(client_of(spent.operator).get("/audit/?end_user=customer-1"))
    assert "2 calls for $16.00" in both


@pytest.mark.django_db
def test_more_end_users_cost_no_more_queries(cast: Cast) -> None:
    present, _ = months()
    client, counts = client_of(cast.alice), []
    for number in range(6):
        a_sum(cast.team_a, present, alias=f"alias-{number}")
        a_month(cast.team_a, present, f"customer-{number}", 1_000)
        if number in {1, 5}:
            client.get("/costs/?by=end_user")
            with CaptureQueriesContext(connection) as asked:
                client.get("/costs/?by=end_user")
            counts.append(len(asked))
    assert counts[0] == counts[1]
    asks = [query["sql"] for query in asked if 'FROM "usage_usageenduser"' in query["sql"]]
    assert len(asks) == 2 and not any('"month" >=' in sql for sql in asks), "in a range of months all of them are read"


@pytest.mark.django_db
def test_they_are_known_as_long_as_the_log_is(cast: Cast, settings) -> None:
    present, _ = months()
    old = clock.now() - dt.timedelta(days=settings.AUDIT_KEEP_DAYS + 40)
    a_month(cast.team_a, old, "customer-1", 1)
    a_month(cast.team_a, present, "customer-1", 1)
    prune()
    assert {row.month for row in UsageEndUser.objects.all()} == {present.date().replace(day=1)}
