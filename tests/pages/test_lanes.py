"""The page of the lanes: both curves, for those who may see usage, and nobody else's calls."""

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_sum
from tests.usage.test_overview import ago, charts_of, text
from usage_app.models import UsageDay, UsageHour


def fill(cast: Cast, times: int = 1) -> None:
    for hours in range(1, times + 1):
        a_sum(cast.team_a, ago(hours=hours), durations=(4_000_000,) * 20, lane="interactive")
        a_sum(cast.team_a, ago(hours=hours), durations=(900_000,) * 30, lane="batch", type="completion")


def test_it_shows_both_curves_and_the_target(cast: Cast, settings) -> None:
    settings.GATEWAY_INTERACTIVE_TARGET_MS = 750
    fill(cast, 2)
    a_sum(cast.team_b, ago(hours=1), durations=(90_000_000,) * 999, lane="standard")
    page = text(client_of(cast.alice).get("/lanes/"))
    first_tokens, calls = charts_of(page)
    assert [s["name"] for s in calls["series"]] == ["Interactive", "Batch"], "another team's lane stays out"
    assert first_tokens["limits"] == [{"v": 750, "label": "Target of the interactive lane"}]
    assert [sum(filter(None, values)) for values in calls["data"][1:]] == [40, 60]
    assert any(abs(v - 1000) < 200 for v in first_tokens["data"][1] if v), "a quarter of four seconds"
    assert "above the target of 750 ms" in page and ">40<" in page


def test_the_api_says_what_the_page_shows(cast: Cast) -> None:
    fill(cast, 2)
    a_sum(cast.team_b, ago(hours=1), durations=(90_000_000,) * 999, lane="standard")
    client = client_of(cast.alice)
    said = client.get("/api/usage/lanes/").json()
    assert (said["period"], said["environment"], said["target_us"] > 0) == ("24h", "production", True)
    interactive, standard, batch = said["lanes"]
    assert [lane["lane"] for lane in said["lanes"]] == ["interactive", "standard", "batch"]
    assert (interactive["requests"], standard["requests"], batch["requests"]) == (40, 0, 60)
    assert [step["requests"] for step in interactive["steps"]] == [20, 20] and standard["steps"] == []
    assert all(abs(step["first_token_p95_us"] - 1_000_000) < 200_000 for step in interactive["steps"])
    assert interactive["p95_us"] > 3_000_000 and standard["p95_us"] is None
    assert client.get("/api/usage/lanes/?team=team-b").status_code == 404
    assert client.get("/api/usage/lanes/?period=soon").json()["error"]["param"] == "period"


def test_it_teaches_when_there_is_nothing(cast: Cast) -> None:
    page = text(client_of(cast.bob).get("/lanes/?environment=sandbox&span=30d"))
    assert "x-facet-lane" in page and "time-chart" not in page and "Open the quick start" in page


def test_it_is_for_people_who_may_see_usage(cast: Cast) -> None:
    assert Client().get("/lanes/").status_code == 302
    assert client_of(cast.alice).get("/lanes/?team=team-b").status_code == 404


def test_more_calls_cost_no_more_queries(cast: Cast) -> None:
    client, counts = client_of(cast.alice), []
    client.get("/lanes/")
    for times in (1, 6):
        fill(cast, times)
        with CaptureQueriesContext(connection) as queries:
            client.get("/lanes/")
        counts.append(len(queries))
        UsageHour.objects.all().delete()
        UsageDay.objects.all().delete()
    assert counts[0] == counts[1]
