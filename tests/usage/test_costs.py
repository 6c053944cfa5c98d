"""The bill of a month: on its page, as CSV, and for programs."""

import csv
import datetime as dt
import io
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.models import AuditEvent
from console.core import clock
from console.teams.services.teams import archive_team
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_sum, a_touchpoint_day
from tests.usage.test_overview import text
from usage_app.queries.costs import month_after, month_before

pytestmark = pytest.mark.django_db


def months() -> tuple[dt.datetime, dt.datetime]:
    """Return a moment of the present month and one of the month before."""
    present = clock.now().replace(hour=12)
    return present, present.replace(day=1) - dt.timedelta(days=3)


def table(response) -> list[dict[str, str]]:
    assert response.status_code == 200 and response["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(response.text)))


def test_it_adds_a_month_up_by_team_and_compares_it_with_the_one_before(cast: Cast) -> None:
    present, last = months()
    a_sum(cast.team_a, present, requests=7, cost_micros=30_000_000)
    a_sum(cast.team_a, present, requests=2, cost_micros=2_000_000, environment="sandbox", alias="other")
    a_sum(cast.team_a, last, requests=5, cost_micros=11_000_000)
    a_sum(cast.team_b, present, requests=1, cost_micros=8_000_000)
    page = text(client_of(cast.operator).get("/costs/"))
    assert "$32.00" in page and "$8.00" in page and "$40.00" in page and "$11.00" in page and "80 %" in page
    before = text(client_of(cast.operator).get(f"/costs/?month={last:%Y-%m}"))
    assert "$11.00" in before and "$32.00" not in before
    own = text(client_of(cast.alice).get("/costs/"))
    assert "$32.00" in own and "Team B" not in own and "$40.00" not in own
    assert client_of(cast.alice).get("/costs/?team=team-b").status_code == 404
    by_alias = text(client_of(cast.alice).get("/costs/?team=team-a"))
    assert "other" in by_alias and "$2.00" in by_alias and "$30.00" in by_alias


def test_archived_teams_stay_on_the_bill_of_operators(cast: Cast) -> None:
    present, _ = months()
    a_sum(cast.team_b, present, cost_micros=7_500_000)
    archive_team(actor=make.actor_for(cast.operator), team=cast.team_b)
    page = text(client_of(cast.operator).get("/costs/"))
    assert "$7.50" in page and "archived" in page


def test_single_keys_and_what_is_left_add_up_to_the_whole(cast: Cast) -> None:
    present, _ = months()
    a_sum(cast.team_a, present, requests=10, cost_micros=9_000_000)
    a_touchpoint_day(cast.team_a, "key", str(cast.kim.pk), present, requests=6, cost_micros=4_000_000)
    a_touchpoint_day(cast.team_a, "agent", "helper", present, requests=1, cost_micros=2_000_000)
    page = text(client_of(cast.alice).get("/costs/?by=touchpoint"))
    assert cast.kim.name in page and "helper" in page and "Everything else" in page
    assert "$4.00" in page and "$2.00" in page and "$3.00" in page and "$9.00" in page
    said = client_of(cast.alice).get("/api/usage/costs/?by=touchpoint").json()
    assert [(row["kind"], row["name"], row["requests"], row["cost"]) for row in said["data"]] == [
        ("key", cast.kim.name, 6, "4.00"),
        ("agent", "helper", 1, "2.00"),
        ("else", "", 3, "3.00"),
    ]
    assert said["total"]["cost"] == "9.00" and said["data"][0]["team"] == "team-a"


def test_keys_of_two_teams_with_one_name_are_two_lines(cast: Cast) -> None:
    present, _ = months()
    for team, cost in ((cast.team_a, 4_000_000), (cast.team_b, 3_000_000)):
        key, _ = make.make_key(team, "ci")
        a_sum(team, present, cost_micros=cost)
        a_touchpoint_day(team, "key", str(key.pk), present, cost_micros=cost)
    page = text(client_of(cast.operator).get("/costs/?by=touchpoint"))
    assert "$4.00" in page and "$3.00" in page and "$7.00" in page and "key, Team B" in page


def test_the_file_has_every_cut_and_taking_it_is_recorded(cast: Cast) -> None:
    present, last = months()
    a_sum(cast.team_a, present, requests=7, cost_micros=1_234_567, alias="=1+1")
    a_sum(cast.team_a, last, requests=5, cost_micros=11_000_000)
    client = client_of(cast.alice)
    rows = table(client.get(f"/costs/export.csv?month={last:%Y-%m}&to={present:%Y-%m}"))
    assert [(row["month"], row["cost"], row["currency"]) for row in rows] == [
        (f"{last:%Y-%m}", "11.00", "USD"),
        (f"{present:%Y-%m}", "1.234567", "USD"),
    ]
    assert rows[1]["alias"] == "'=1+1" and rows[1]["team"] == "team-a" and rows[1]["environment"] == "production"
    assert len(table(client.get("/costs/export.csv?by=touchpoint"))) == 1
    event = AuditEvent.objects.filter(action="costs.exported").earliest("at")
    assert event.actor_id == cast.alice.pk and json.loads(event.detail)["rows"] == 2
    for query in (
        "month=soon",
        "month=2026-10&to=2026-09",
        "month=2020-01&to=2026-09",
        "month=9999-12",
        "month=0001-01",
        "month=0500-01",
        "month=2026-1",
        "month=%2B202-10",
    ):
        assert client.get(f"/costs/export.csv?{query}").status_code == 400


def test_programs_read_what_the_page_shows(cast: Cast) -> None:
    present, last = months()
    a_sum(cast.team_a, present, requests=7, cost_micros=30_000_000)
    a_sum(cast.team_a, present, requests=1, cost_micros=1_000_000, model="fake/other")
    a_sum(cast.team_a, last, requests=5, cost_micros=11_000_000)
    a_sum(cast.team_b, present, requests=1, cost_micros=7_500_000)
    client = client_of(cast.alice)
    said = client.get(f"/api/usage/costs/?from={last:%Y-%m}&to={present:%Y-%m}&by=team,model").json()
    assert said["by"] == ["team", "model"] and said["currency"] == "USD" and said["total"]["cost"] == "42.00"
    assert [(row["month"], row["team"], row["model"], row["cost"]) for row in said["data"]] == [
        (f"{last:%Y-%m}", "team-a", "fake/model", "11.00"),
        (f"{present:%Y-%m}", "team-a", "fake/model", "30.00"),
        (f"{present:%Y-%m}", "team-a", "fake/other", "1.00"),
    ]
    for query, param in (
        ("by=person", "by"),
        ("by=team,touchpoint", "by"),
        ("from=2026-13", "from"),
        ("to=1999-01", "to"),
    ):
        assert client.get(f"/api/usage/costs/?{query}").json()["error"]["param"] == param
    assert client.get("/api/usage/costs/?team=team-b").status_code == 404


def test_more_lines_cost_no_more_queries(cast: Cast) -> None:
    present, _ = months()
    client, counts = client_of(cast.alice), []
    for number in range(6):
        a_sum(cast.team_a, present, alias=f"alias-{number}")
        a_touchpoint_day(cast.team_a, "agent", f"agent-{number}", present)
        if number in {1, 5}:
            for by in ("alias", "touchpoint"):
                client.get(f"/costs/?by={by}")
                with CaptureQueriesContext(connection) as asked:
                    client.get(f"/costs/?by={by}")
                counts.append(len(asked))
    assert counts[:2] == counts[2:]


def test_it_teaches_when_nothing_was_spent(cast: Cast) -> None:
    page = text(client_of(cast.bob).get("/costs/"))
    assert "No costs yet" in page and "export.csv" not in page


def test_months_follow_each_other_over_the_year() -> None:
    assert month_after(dt.date(2026, 12, 1)) == dt.date(2027, 1, 1)
    assert month_before(dt.date(2027, 1, 1)) == dt.date(2026, 12, 1)
