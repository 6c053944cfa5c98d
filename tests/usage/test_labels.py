"""What calls were for cost: from the log's lines to the bill, its file and its face for programs."""

import datetime as dt
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.models import AuditEvent
from console.core import clock
from console.pages import costs as bills
from console.teams.models import Team
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_call, a_sum
from tests.usage.test_costs import months, table
from tests.usage.test_overview import text
from tests.usage.test_roll_up import next_tx, roll_up_past
from usage_app.models import UsageLabel
from usage_app.services.pruning import prune
from usage_app.sql import labels


def a_month(team: Team, at: dt.datetime, name: str, value: str, cost_micros: int, requests: int = 1) -> None:
    """What roll_up would have made of the calls of that month that were for this."""
    for one in (value, ""):
        row, _ = UsageLabel.objects.get_or_create(team_id=team.pk, month=at.date().replace(day=1), name=name, value=one)
        row.cost_micros, row.requests = row.cost_micros + cost_micros, row.requests + requests
        row.save()


def labelled(team: Team, at: dt.datetime, /, **metadata: str) -> None:
    a_call(team, at=at, metadata=json.dumps(metadata))


@pytest.fixture
def spent(cast: Cast) -> Cast:
    """Of 20 dollars of Team A in this month 9 are for books, 5 for films, 1 for a third project and 5 for none."""
    present, last = months()
    a_sum(cast.team_a, present, requests=20, cost_micros=20_000_000)
    a_sum(cast.team_a, last, requests=4, cost_micros=4_000_000)
    a_sum(cast.team_b, present, requests=1, cost_micros=7_000_000)
    for name, cost in (("books", 9_000_000), ("films", 5_000_000), ("songs", 1_000_000)):
        a_month(cast.team_a, present, "project", name, cost)
    a_month(cast.team_a, present, "a.b=c", "gold", 2_000_000)
    a_month(cast.team_a, last, "project", "books", 3_000_000)
    a_month(cast.team_b, present, "project", "books", 7_000_000)
    return cast


def sums() -> dict[tuple[str, str], tuple[int, int, int]]:
    rows = UsageLabel.objects.values_list("name", "value", "requests", "cost_micros", "values_kept")
    return {(name, value): figures for name, value, *figures in rows}  # type: ignore[misc]


@pytest.mark.usefixtures("committed_db")
def test_calls_are_summed_by_month_and_pair() -> None:
    team, other = make.make_team("Support"), make.make_team("Other")
    at = dt.datetime(2026, 3, 31, 23, 59, tzinfo=dt.UTC)
    labelled(team, at, project="books", tier="gold")
    labelled(team, at + dt.timedelta(minutes=2), project="books")
    roll_up_past(next_tx())
    a_call(team, at=at, metadata='{"project": "books"}', status="error", completion_tokens=0, cost_micros=7)
    a_call(team, at=at, metadata='{"project": "films", "tier": ""}', status="refused", prompt_tokens=0, cost_micros=0)
    a_call(team, at=at, metadata='{"project": "films"}', type="tool")
    labelled(other, at, project="books")
    a_call(other, at=at)
    roll_up_past(next_tx())
    rows = UsageLabel.objects.values_list(
        "month", "team_id", "name", "value", "values_kept", "requests", "errors", "refusals", "cost_micros"
    )
    march, april = dt.date(2026, 3, 1), dt.date(2026, 4, 1)
    assert sorted(rows) == sorted(
        [
            (march, team.pk, "project", "", 2, 3, 1, 1, 1007),
            (march, team.pk, "project", "books", 0, 2, 1, 0, 1007),
            (march, team.pk, "project", "films", 0, 1, 0, 1, 0),
            (march, team.pk, "tier", "", 1, 1, 0, 0, 1000),
            (march, team.pk, "tier", "gold", 0, 1, 0, 0, 1000),
            (march, other.pk, "project", "", 1, 1, 0, 0, 1000),
            (march, other.pk, "project", "books", 0, 1, 0, 0, 1000),
            (april, team.pk, "project", "", 1, 1, 0, 0, 1000),
            (april, team.pk, "project", "books", 0, 1, 0, 0, 1000),
        ]
    )


@pytest.mark.usefixtures("committed_db")
def test_there_are_never_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MOST_NAMES", 2)
    monkeypatch.setattr(labels, "MOST_VALUES", 3)
    team, at = make.make_team("Support"), dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
    for number in range(5):
        labelled(team, at, order=str(number), project="books")
        a_call(team, at=at, cost_micros=number, metadata=json.dumps({f"name-{number}": "x"}))
    roll_up_past(next_tx())
    assert sums().keys() == {("order", ""), ("project", ""), ("project", "books")} | {
        ("order", value) for value in "012"
    }, "the dearest names, and of values that cost the same the first"
    labelled(team, at, order="3", project="films", another="x")
    labelled(team, at, order="1")
    roll_up_past(next_tx())
    found = sums()
    assert found["order", ""] == [7, 7000, 3] and found["order", "1"] == [2, 2000, 0]
    assert ("order", "3") not in found and ("another", "") not in found, "what comes later finds no room"
    assert found["project", ""] == [6, 6000, 2] and found["project", "films"] == [1, 1000, 0]
    labelled(team, at + dt.timedelta(days=40), another="x")
    roll_up_past(next_tx())
    assert ("another", "x") in sums(), "the next month has room of its own"


@pytest.mark.usefixtures("committed_db")
def test_the_longest_pairs_have_room() -> None:
    team = make.make_team("Support")
    labelled(team, clock.now(), **{"\U0001f984" * 64: "\U0001f984" * 512})
    roll_up_past(next_tx())
    assert UsageLabel.objects.exclude(value="").get().value == "\U0001f984" * 512


@pytest.mark.django_db
def test_the_page_names_the_dearest_and_adds_up(spent: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "SHOWN_END_USERS", 2)
    client = client_of(spent.alice)
    for address in ("/costs/?by=metadata.project", "/costs/?by=metadata"):
        response = client.get(address)
        page, table_of = response.text, text(response)
        order = ["Previous month", "books", "$9.00", "$3.00", "films", "$5.00", "All other values", "$1.00"]
        order += ["Without project", "$5.00", "$1.00", "Total", "$20.00", "$4.00"]
        place = 0
        for words in order:
            place = " ".join(table_of.split()).index(words, place)
        assert "songs" not in page and "$7.00" not in page
        assert "/audit/?team=team-a&amp;metadata=project%3Dbooks" in page
        assert "by=metadata.a.b%3Dc" in page
    assert "gold" in text(client.get("/costs/?by=metadata.a.b%3Dc"))
    all_teams = text(client_of(spent.operator).get("/costs/?by=metadata.project"))
    assert "$9.00" in all_teams and "$7.00" in all_teams and "$27.00" in all_teams
    assert "Without" in text(client.get("/costs/?by=metadata.unknown"))


@pytest.mark.django_db
def test_who_labels_nothing_reads_how(cast: Cast) -> None:
    a_sum(cast.team_a, months()[0])
    client = client_of(cast.alice)
    assert "No call says what it was for" in text(client.get("/costs/?by=metadata"))
    assert client.get("/costs/export.csv?by=metadata").status_code == 200
    assert client.get("/api/usage/costs/?by=metadata").status_code == 400


@pytest.mark.django_db
def test_what_is_written_into_labels_is_text(cast: Cast) -> None:
    present, _ = months()
    evil = '"><script>alert(1)</script>\u202e&x=1'
    a_sum(cast.team_a, present)
    a_month(cast.team_a, present, evil, evil, 1000)
    page = client_of(cast.alice).get("/costs/?by=metadata").text
    assert "<script>alert" not in page and "&lt;script&gt;" in page and "\u202e" not in page


@pytest.mark.django_db
def test_who_sees_it(spent: Cast) -> None:
    charlie = client_of(spent.charlie)
    for address in ("/costs/?", "/costs/export.csv?", "/api/usage/costs/?"):
        assert charlie.get(f"{address}by=metadata.project&team=team-a").status_code == 404
    page = charlie.get("/costs/?by=metadata.project").text
    assert "films" not in page and "a.b=c" not in page
    bobs = text(client_of(spent.bob).get("/costs/?by=metadata.project"))
    assert "films" in bobs and "/audit/?" not in bobs, "who may not see the log is not led to it"


@pytest.mark.django_db
def test_the_file_and_programs_have_the_same_lines(spent: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "MOST_END_USERS", 3)
    present, last = months()
    a_month(spent.team_a, present, "project", "=cmd()", 500_000)
    client = client_of(spent.alice)
    rows = table(client.get("/costs/export.csv?by=metadata.project"))
    wanted = [
        ("value", "books", "9.00"),
        ("value", "films", "5.00"),
        ("value", "songs", "1.00"),
        ("others", "", "0.50"),
        ("without", "", "4.50"),
    ]
    assert [(row["kind"], row["name"], row["cost"]) for row in rows] == wanted
    assert {row["team"] for row in rows} == {"team-a"} and set(rows[0]) >= {"month", "currency", "requests"}
    event = AuditEvent.objects.get(action="costs.exported")
    assert json.loads(event.detail)["filter"]["by"] == ["metadata.project"]
    said = client.get("/api/usage/costs/?by=metadata.project").json()
    assert [(row["kind"], row["name"], row["cost"]) for row in said["data"]] == wanted
    assert said["total"]["cost"] == "20.00" and said["by"] == ["metadata.project"]
    monkeypatch.setattr(bills, "MOST_END_USERS", 9)
    assert [r["name"] for r in table(client.get("/costs/export.csv?by=metadata.project"))][3] == "'=cmd()"
    both = f"from={last:%Y-%m}&to={present:%Y-%m}&by=metadata.project"
    said = client.get(f"/api/usage/costs/?{both}").json()
    assert [row["cost"] for row in said["data"] if row["name"] == "books"] == ["3.00", "9.00"]
    assert said["total"]["cost"] == "24.00"
    assert [row["name"] for row in client.get("/api/usage/costs/?by=metadata.a.b%3Dc").json()["data"]] == ["gold", ""]
    for query, param in (("by=team,metadata.project", "by"), ("by=metadata.", "by"), ("by=end_user,team", "by")):
        refused = client.get(f"/api/usage/costs/?{query}")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


@pytest.mark.django_db
def test_more_labels_cost_no_more_queries(cast: Cast) -> None:
    present, _ = months()
    client, counts = client_of(cast.alice), []
    for number in range(6):
        a_sum(cast.team_a, present, alias=f"alias-{number}")
        a_month(cast.team_a, present, "project", f"project-{number}", 9_000)
        a_month(cast.team_a, present, f"name-{number}", "x", 1_000)
        if number in {1, 5}:
            client.get("/costs/?by=metadata.project")
            with CaptureQueriesContext(connection) as asked:
                client.get("/costs/?by=metadata.project")
            counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_they_are_known_as_long_as_the_log_is(cast: Cast, settings) -> None:
    present, _ = months()
    old = clock.now() - dt.timedelta(days=settings.AUDIT_KEEP_DAYS + 40)
    a_month(cast.team_a, old, "project", "books", 1)
    a_month(cast.team_a, present, "project", "books", 1)
    prune()
    assert {row.month for row in UsageLabel.objects.all()} == {present.date().replace(day=1)}
