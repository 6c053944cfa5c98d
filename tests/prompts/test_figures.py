"""The versions of a prompt beside each other: rolled up from the log once, with what was said of their answers."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.audit.models import AuditEvent
from console.audit.services.ratings import Rater, Word, say
from console.core.clock import now
from console.core.histogram import histogram
from console.core.ids import uuid7
from console.teams.models import Team
from prompts_app.models import VersionDay, VersionRating, Visibility
from prompts_app.queries.figures import figures
from prompts_app.services.uses import roll_up_uses
from tests import make
from tests.audit.calls import until_finished
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_call

PAGE, API = "/prompts/support/answer/-/figures/", "/api/prompts/support/answer/-/figures/"


def of(number: int, *more: str, slug: str = "support/answer") -> str:
    return json.dumps([{"slug": slug, "number": number}, *({"slug": one, "number": 1} for one in more)])


def rate(call: Any, is_good: bool | None, score: str = "", who: Any = None) -> None:
    word = None if is_good is None else Word(is_good, Decimal(score) if score else None)
    say(rater=Rater("key", who or uuid7(), "program"), event=AuditEvent.objects.get(pk=call), word=word)


def a_day(prompt: Any, number: int, team: Team, *, day: dt.date | None = None, **columns: Any) -> None:
    sums = {"calls": 2, "cost_micros": 3000, "prompt_tokens": 10, "latency": histogram([200_000, 400_000])} | columns
    VersionDay.objects.create(
        prompt=prompt, number=number, team_id=team.pk, day=day or now().date(), environment="production", **sums
    )


@pytest.mark.django_db(transaction=True)
def test_it_adds_calls_up_once_and_only_those_that_count(committed_db: None) -> None:
    cast = Cast()
    prompt = make.make_prompt(cast.team_a, "support/answer")
    tone = make.make_prompt(cast.team_a, "tone", "Be kind.", kind="partial")
    for _ in range(3):
        a_call(cast.team_a, prompt=of(1, "tone"))
    a_call(cast.team_a, prompt=of(1), status="error", cost_micros=0, latency_us=900_000)
    a_call(cast.team_a, prompt=of(2), environment="sandbox")
    a_call(cast.team_b, prompt=of(2), surface="widget")
    for columns in (
        *({"surface": "playground"}, {"surface": "evaluation"}, {"type": "shadow"}, {"status": "refused"}),
        *({"prompt": of(1, slug="gone")}, {"prompt": ""}),
    ):
        a_call(cast.team_a, **{"prompt": of(1)} | columns)
    until_finished()
    roll_up_uses()
    a_call(cast.team_a, prompt=of(1))
    until_finished()
    roll_up_uses()
    roll_up_uses()
    days = {(row.number, row.environment, row.team_id): row for row in VersionDay.objects.filter(prompt=prompt)}
    assert not VersionDay.objects.filter(prompt=tone).exists()
    one = days.pop((1, "production", cast.team_a.pk))
    assert (one.calls, one.errors, one.cost_micros, one.prompt_tokens, one.completion_tokens) == (5, 1, 4000, 500, 250)
    assert one.latency == histogram([200_000] * 4 + [900_000])
    assert {key: row.calls for key, row in days.items()} == {
        (2, "sandbox", cast.team_a.pk): 1,
        (2, "production", cast.team_b.pk): 1,
    }
    VersionDay.objects.update(day=now().date() - dt.timedelta(days=101))
    roll_up_uses()
    assert not VersionDay.objects.exists()


@pytest.mark.django_db
def test_each_change_of_a_rating_moves_the_counts_of_its_version(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "support/answer")
    yesterday, who = now() - dt.timedelta(days=1), uuid7()
    call = a_call(cast.team_a, prompt=of(1), at=yesterday)

    def counted() -> list[tuple[Any, ...]]:
        rows = VersionRating.objects.filter(prompt=prompt).order_by("day")
        return [(row.day, row.good, row.bad, row.scored, row.score) for row in rows]

    rate(call, True, "0.9", who)
    rate(call, True, "0.9", who)
    assert counted() == [(yesterday.date(), 1, 0, 1, Decimal("0.9"))]
    rate(call, False, "0.25", who)
    rate(call, False)
    assert counted() == [(yesterday.date(), 0, 2, 1, Decimal("0.25"))]
    for surface in ("playground", "evaluation"):
        rate(a_call(cast.team_a, prompt=of(1), surface=surface), True)
    rate(a_call(cast.team_a, prompt=of(1, slug="gone")), True)
    rate(a_call(cast.team_a), True)
    # The prompt that had the name when it was called keeps the count, whoever has the name by now.
    prompt.deleted_at = now()
    prompt.save(update_fields=["deleted_at"])
    make.make_prompt(cast.team_a, "support/answer")
    rate(call, None, who=who)
    assert counted() == [(yesterday.date(), 0, 1, 0, Decimal(0))] and VersionRating.objects.count() == 1


@pytest.mark.django_db
def test_versions_stand_beside_each_other(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "support/answer")
    make.publish(prompt, make.save(prompt, "another text"))
    today = now().date()
    for back in (0, 6):
        a_day(prompt, 1, cast.team_a, day=today - dt.timedelta(days=back), errors=1)
    a_day(prompt, 2, cast.team_a)
    a_day(prompt, 1, cast.team_a, day=today - dt.timedelta(days=29))
    a_day(prompt, 1, cast.team_a, day=today - dt.timedelta(days=30))
    call = a_call(cast.team_a, prompt=of(2))
    for is_good, score in ((True, "1"), (True, ""), (False, "0.5")):
        rate(call, is_good, score)
    two, one = figures(prompt, days=7, environment="production", teams=None)
    assert (two.number, two.labels, two.calls, two.cost_each, two.good, two.bad, two.score) == (
        *(2, ["production"], 2, 1500),
        *(2, 1, 0.75),
    )
    assert (one.number, one.calls, one.error_percent, one.good_percent, one.score) == (1, 4, 50, None, None)
    assert figures(prompt, days=30, environment="production", teams=None)[1].calls == 6
    assert figures(prompt, days=7, environment="sandbox", teams=None) == []

    alice = client_of(cast.alice)
    page = alice.get(PAGE).content.decode()
    assert "$0.0015" in page and "Compare v1 and v2" in page and "50 %" in page and "67 %" in page
    assert 'href="/audit/?prompt=support/answer@2&amp;range=7d&amp;environment=production"' in page
    assert 'href="/audit/?prompt=support/answer@2&amp;range=7d&amp;environment=production&amp;rating=bad"' in page
    assert alice.get("/audit/?prompt=support/answer@2&range=7d&environment=production&rating=bad").status_code == 200
    member = client_of(cast.bob).get(PAGE).content.decode()
    assert "In the log" not in member and "$0.0015" in member
    with CaptureQueriesContext(connection) as few:
        alice.get(PAGE)
    for number in range(3, 9):
        a_day(prompt, number, cast.team_a)
    with CaptureQueriesContext(connection) as many:
        alice.get(PAGE)
    assert len(few) == len(many)

    told = alice.get(f"{API}?days=30").json()
    assert (told["days"], told["environment"], told["since"]) == (30, "production", str(today - dt.timedelta(days=29)))
    newest, *_, oldest = told["data"]
    assert newest["version"] == 8 and newest["score"] is None
    assert (oldest["requests"], oldest["errors"], oldest["cost_micros_each"]) == (6, 2, 1500)
    assert 150_000 < oldest["latency_p50_us"] < oldest["latency_p95_us"] < 500_000
    for odd, param in (("days=8", "days"), ("days=x", "days"), ("environment=staging", "environment")):
        refused = alice.get(f"{API}?{odd}")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
        assert alice.get(f"{PAGE}?{odd}").status_code == 200, "a page shows what it has"
    key = make.make_key(cast.team_a, scopes=["usage:read"])[1]
    assert len(client_of(cast.charlie).get(API, headers={"Authorization": f"Bearer {key}"}).json()["data"]) == 8
    calls_only = make.make_key(cast.team_a, scopes=["models:call"])[1]
    assert client_of(cast.charlie).get(API, headers={"Authorization": f"Bearer {calls_only}"}).status_code == 403


@pytest.mark.django_db
def test_what_another_team_does_with_a_shared_prompt_is_its_own_business(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "support/answer", visibility=Visibility.ORGANISATION)
    a_day(prompt, 1, cast.team_a, calls=3)
    a_day(prompt, 1, cast.team_b, calls=40)
    for call in (a_call(cast.team_a, prompt=of(1)), a_call(cast.team_b, prompt=of(1))):
        rate(call, True)
    seen = {
        name: [(row["requests"], row["good"]) for row in client_of(person).get(API).json()["data"]]
        for name, person in (("a", cast.alice), ("b", cast.charlie), ("all", cast.operator))
    }
    assert seen == {"a": [(3, 1)], "b": [(40, 1)], "all": [(43, 2)]}
    assert client_of(make.make_user()).get(PAGE).status_code in {403, 404}


@pytest.mark.django_db
def test_without_calls_it_says_how_they_come(cast: Cast) -> None:
    make.make_prompt(cast.team_a, "support/answer")
    make.make_prompt(cast.team_a, "tone", "Be kind.", kind="partial")
    alice = client_of(cast.alice)
    page = alice.get(PAGE).content.decode()
    assert "No calls in this period" in page and "/api/calls/req_" in page
    assert "/-/figures/" not in alice.get("/prompts/tone/").content.decode(), "a partial is called by nobody"
    assert client_of(cast.charlie).get(PAGE).status_code == 404
