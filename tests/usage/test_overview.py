import datetime as dt
import json
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.core import clock
from console.teams.models import ApiKey
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_sum
from usage_app.models import QuotaCounter
from usage_app.queries import dashboard
from usage_app.services import quotas

pytestmark = pytest.mark.django_db


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def ago(**spans: int) -> dt.datetime:
    return clock.now() - dt.timedelta(**spans)


def charts_of(page: str) -> list[dict]:
    return [json.loads(part.split("</script>")[0]) for part in page.split('<script type="application/json">')[1:]]


def test_a_fresh_console_shows_how_to_make_the_first_call(cast: Cast) -> None:
    make.make_alias("not-pinned")
    make.make_alias("support-chat", production=make.make_model())
    page = text(client_of(cast.alice).get("/"))
    assert "/v1/chat/completions" in page and "support-chat" in page
    assert "Get a key" in page and 'href="/docs/"' in page
    assert "time-chart" not in page

    # What leads on is what one may do.
    member, nobody = (text(client_of(user).get("/")) for user in (cast.bob, make.make_user()))
    assert "Get a key" not in member and "Builders and owners of your team create keys." in member
    assert "Ask in the chat" in member and "You are in no team" in nobody and "FACET_KEY" not in nobody


def test_it_sums_the_span_and_compares_it_with_the_one_before(cast: Cast) -> None:
    a_sum(cast.team_a, ago(days=1), requests=150, cost_micros=3_000_000)
    a_sum(cast.team_a, ago(days=2), requests=50, cost_micros=1_000_000)
    a_sum(cast.team_a, ago(days=8), requests=100, cost_micros=8_000_000)
    a_sum(cast.team_a, ago(days=20), requests=999, cost_micros=999_000_000)
    page = text(client_of(cast.alice).get("/"))
    assert ">200<" in page and "$4.00" in page
    assert "to now, compared with the 7 days before up to the same hour" in page
    assert "100 %" in page and "vs 100<" in page  # twice as many requests
    assert "50 %" in page and "vs $8.00" in page


def test_a_morning_is_compared_with_mornings(cast: Cast) -> None:
    """Of the last day before, only what came by the same hour counts; its answers' times are comparable as they are."""
    morning = clock.now().replace(hour=8, minute=20)
    day = morning.replace(hour=0, minute=0) - dt.timedelta(days=7)
    for hour, requests in ((7, 10), (8, 20), (9, 400), (23, 800)):
        a_sum(cast.team_a, day + dt.timedelta(hours=hour), requests=requests)
    a_sum(cast.team_a, day - dt.timedelta(hours=1), requests=5)
    a_sum(cast.team_a, morning, requests=70)
    found = dashboard.dashboard(dashboard.span("7d", morning), team_ids=[cast.team_a.pk], environment="production")
    assert (found.now.requests, found.before.requests) == (70, 35)
    late = morning.replace(hour=23)
    found = dashboard.dashboard(dashboard.span("7d", late), team_ids=[cast.team_a.pk], environment="production")
    assert found.before.requests == 1235


def test_a_day_is_drawn_in_hours(cast: Cast) -> None:
    a_sum(cast.team_a, ago(hours=3), requests=7)
    a_sum(cast.team_a, ago(hours=30), requests=5)
    page = text(client_of(cast.alice).get("/?span=24h"))
    cost, latency = charts_of(page)
    assert len(cost["data"][0]) == len(latency["data"][0]) == 24
    assert cost["data"][0][1] - cost["data"][0][0] == 3600
    # Amounts of an hour that goes on are no fall; how long its calls took is comparable as it is.
    assert cost["unfinished"] and "unfinished" not in latency
    assert "This hour so far" in page and len(re.findall(r"\d\d:00, so far</td>", page)) == 1
    assert ">7<" in page and "vs 5<" in page


def test_environments_are_apart(cast: Cast) -> None:
    a_sum(cast.team_a, ago(days=1), requests=41)
    a_sum(cast.team_a, ago(days=1), requests=17, environment="sandbox")
    assert ">41<" in text(client_of(cast.alice).get("/"))
    assert ">17<" in text(client_of(cast.alice).get("/?environment=sandbox"))
    assert ">41<" in text(client_of(cast.alice).get("/?environment=nonsense&span=nonsense"))


def test_it_hides_other_teams(cast: Cast) -> None:
    a_sum(cast.team_a, ago(days=1), requests=41, alias="secret-alias")
    assert "secret-alias" not in text(client_of(cast.charlie).get("/"))
    assert client_of(cast.charlie).get("/?team=team-a").status_code == 404
    page = text(client_of(cast.operator).get("/"))
    assert 'href="/models/aliases/secret-alias/"' in page and ">41<" in page


def test_it_narrows_to_a_team(cast: Cast) -> None:
    a_sum(cast.team_a, ago(days=1), requests=41)
    a_sum(cast.team_b, ago(days=1), requests=17)
    assert ">58<" in text(client_of(cast.operator).get("/"))
    assert ">17<" in text(client_of(cast.operator).get("/?team=team-b"))


def test_a_stranger_signs_in_first(cast: Cast) -> None:
    response = Client().get("/")
    assert response.status_code == 302 and "/accounts/login/" in response["Location"]


def test_it_tells_latency_and_errors(cast: Cast) -> None:
    a_sum(cast.team_a, ago(days=1), durations=(400_000,) * 94 + (4_000_000,) * 6, errors=5)
    a_sum(cast.team_a, ago(days=1), requests=0, alias="never-timed", latency=[], first_token=[])
    page = text(client_of(cast.alice).get("/"))
    assert "4 %" not in page.split("Error rate")[1][:40]
    assert "5.00 %" in page.split("Error rate")[1][:200]
    assert "Latency p50 / p95" in page
    (_, latency) = charts_of(page)
    assert latency["series"] == [{"name": "Chat", "color": "--team-1"}]
    assert 3000 < max(v for v in latency["data"][1] if v) < 4800


def test_five_teams_are_four_lines(cast: Cast) -> None:
    for n in range(5):
        a_sum(make.make_team(f"Extra {n}"), ago(days=1), cost_micros=(n + 1) * 1_000_000)
    (cost, _) = charts_of(text(client_of(cast.operator).get("/")))
    assert [s["name"] for s in cost["series"]] == ["Extra 4", "Extra 3", "Extra 2", "2 other teams"]
    assert len({s["color"] for s in cost["series"]}) == 4
    assert max(cost["data"][4]) == 3.0


def test_it_lists_what_needs_somebody(cast: Cast) -> None:
    quota = quotas.set_quota(
        actor=make.SYSTEM, team=cast.team_a, metric="cost", window="month", limit=100_000_000, mode="hard"
    )
    QuotaCounter.objects.filter(quota=quota).update(used=100_000_000)
    going = make.make_model("old-model", shutdown_on=(clock.now() + dt.timedelta(days=30)).date())
    make.make_alias("support-chat", production=going)
    make.make_model("unpinned", shutdown_on=clock.now().date())
    ApiKey.objects.filter(pk=cast.kim.pk).update(created_at=ago(days=92))
    ending, _ = make.make_key(cast.team_a, "nightly", expires_at=clock.now() + dt.timedelta(days=6, hours=1))
    revoked, _ = make.make_key(cast.team_a, "gone", expires_at=clock.now() + dt.timedelta(days=6))
    ApiKey.objects.filter(pk=revoked.pk).update(revoked_at=clock.now())
    a_sum(cast.team_a, clock.now(), requests=20, errors=10, model="flaky/large")
    page = text(client_of(cast.alice).get("/"))
    assert "Team A has run out" in page and "Hard limit blocks new calls." in page
    assert "fake/old-model is shut down on" in page and "unpinned" not in page
    assert f"Key {cast.kim.shown} is unused for 92 days" in page
    assert f"Key {ending.shown} ends in 6 days" in page and revoked.shown not in page
    assert "Calls to flaky are failing" in page and "10 of 20" in page


def test_keys_are_for_those_who_manage_them(cast: Cast) -> None:
    ApiKey.objects.filter(pk=cast.kim.pk).update(created_at=ago(days=92))
    assert "is unused" not in text(client_of(cast.bob).get("/"))


def test_it_burns_budgets_down(cast: Cast) -> None:
    quota = quotas.set_quota(
        actor=make.SYSTEM, team=cast.team_a, metric="cost", window="month", limit=100_000_000, mode="soft"
    )
    QuotaCounter.objects.filter(quota=quota).update(used=25_000_000)
    a_sum(cast.team_a, clock.now(), cost_micros=25_000_000)
    page = text(client_of(cast.bob).get("/"))
    assert "Budget left" in page and "$25.00 of $100.00" in page and 'class="burn"' in page


def test_names_are_shown_as_text(cast: Cast) -> None:
    a_sum(cast.team_a, ago(days=1), alias="</script><b>x", model="<i>m")
    page = text(client_of(cast.alice).get("/"))
    assert "<b>x" not in page and "<i>m" not in page


def test_more_teams_and_calls_need_no_more_queries(cast: Cast, django_assert_max_num_queries) -> None:
    client = client_of(cast.operator)
    a_sum(cast.team_a, ago(days=1))
    quotas.set_quota(actor=make.SYSTEM, team=cast.team_a, metric="cost", window="month", limit=9)
    client.get("/")
    with django_assert_max_num_queries(23) as few:
        client.get("/")
    for n in range(6):
        team = make.make_team(f"Extra {n}")
        quotas.set_quota(actor=make.SYSTEM, team=team, metric="cost", window="month", limit=9)
        for days in range(5):
            a_sum(team, ago(days=days), alias=f"alias-{n}", model=f"p{n}/m")
        key, _ = make.make_key(team, expires_at=clock.now() + dt.timedelta(days=2))
    with django_assert_max_num_queries(23) as many:
        client.get("/")
    assert len(few) == len(many)


def test_what_teams_spent_is_read_from_an_index(cast: Cast) -> None:
    span = dashboard.span("30d", clock.now())
    with CaptureQueriesContext(connection) as asked:
        dashboard.dashboard(span, team_ids=[cast.team_a.pk, cast.team_b.pk], environment="production")
    (sums,) = [query["sql"] for query in asked if "usage_usageday" in query["sql"] and "latency" not in query["sql"]]
    with connection.cursor() as cursor:
        # Of an empty table any index costs the same, so the one that keeps rows unique is out of the way.
        cursor.execute("ALTER TABLE usage_usageday DROP CONSTRAINT one_row_per_day_and_cut")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("EXPLAIN " + sums)
        plan = "\n".join(line for (line,) in cursor)
    assert "Index Only Scan using usage_days_summed" in plan, "rows hold histograms, which are forty times as wide"
