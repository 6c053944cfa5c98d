"""Searching at any volume: bounded in time, and nothing is lost where a search breaks off."""

import datetime as dt
import uuid

import pytest
from django.db import connection

from console.audit.search import Criteria
from console.audit.sql import search
from console.core.clock import now
from console.core.sql import cursor_within
from tests.audit.calls import a_call, run
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
DAYS = 60


@pytest.fixture
def spread(cast: Cast) -> list[uuid.UUID]:
    """One record every two days, the newest first; every third is somebody special's."""
    start = now() - dt.timedelta(minutes=1)
    return [
        a_call(cast.team_a, at=start - dt.timedelta(days=n), actor="special" if n % 3 == 0 else "other")
        for n in range(0, DAYS, 2)
    ]


def test_a_search_without_an_index_walks_to_the_end(cast: Cast, spread: list[uuid.UUID]) -> None:
    page = search.find(Criteria(None, text="special"), seconds=60)
    assert [event.pk for event in page.events] == [i for n, i in enumerate(spread) if n % 3 == 0]
    assert not page.has_more and page.searched_to is None


def test_a_search_that_breaks_off_goes_on_without_loss(
    cast: Cast, spread: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = (tick / 100 for tick in range(100_000))
    monkeypatch.setattr(search.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(search, "cursor_within", lambda _: cursor_within(60_000))  # by that clock, and not by this one
    criteria = Criteria(None, start=now() - dt.timedelta(days=2 * DAYS), text="special")
    found: list[uuid.UUID] = []
    place, rounds = None, 0
    while True:
        page = search.find(criteria, older_than=place, seconds=0.05)
        found += [event.pk for event in page.events]
        rounds += 1
        if page.searched_to is None:
            break
        assert place is None or page.searched_to < place, "every round gets further"
        place = page.searched_to
    assert rounds > 1
    assert found == [i for n, i in enumerate(spread) if n % 3 == 0]


def test_a_slow_statement_is_stopped_and_tried_in_smaller_spans(
    cast: Cast, spread: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, spans = search._Walk.passed, []
    monkeypatch.setattr(search._Walk, "passed", lambda self, span, s: (spans.append(span), whole(self, span, s))[1])
    # Every row takes 60 ms to look at, and a statement may take half a second: only some days fit into one.
    monkeypatch.setattr(search, "_SEARCHED", "(e.actor || coalesce(pg_sleep(0.06)::text, ''))")
    page = search.find(Criteria(None, text="special"), limit=5, seconds=2)
    assert page.searched_to or len(page.events) == 5
    assert spans
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0", "the limit does not stay behind"


def test_newer_and_older_meet(cast: Cast, spread: list[uuid.UUID]) -> None:
    middle = spread[10]
    criteria = Criteria((cast.team_a.pk,), types=("chat",))
    newer = search.find(criteria, newer_than=middle, seconds=60).events
    older = search.find(criteria, older_than=middle, seconds=60).events
    assert [e.pk for e in newer] + [middle] + [e.pk for e in older] == spread
    assert [e.pk for e in search.find(criteria, newer_than=middle, limit=2, seconds=60).events] == spread[8:10]


def test_several_teams_are_merged_in_order(cast: Cast) -> None:
    start = now() - dt.timedelta(minutes=5)
    ids = [a_call((cast.team_a, cast.team_b)[n % 2], at=start + dt.timedelta(seconds=n)) for n in range(20)]
    page = search.find(Criteria((cast.team_a.pk, cast.team_b.pk), types=("chat",)), limit=7, seconds=60)
    assert [e.pk for e in page.events] == ids[:-8:-1] and page.has_more


def test_wildcards_are_ordinary_characters(cast: Cast) -> None:
    exact = a_call(cast.team_a, actor=r"100%_\sure")
    a_call(cast.team_a, actor="100 pct sure")
    for text in ("100%", r"%_\s", "0%_"):
        assert [e.pk for e in search.find(Criteria(None, text=text, types=("chat",)), seconds=60).events] == [exact]


def test_common_filters_are_answered_by_an_index(cast: Cast) -> None:
    """Each filter that promises an index has one in every month, newest first."""
    wanted = {
        "team_id": Criteria((cast.team_a.pk,)),
        "key_id": Criteria(None, key_id=cast.kim.pk),
        "alias": Criteria(None, alias="support-chat"),
        "actor_id": Criteria(None, person_id=cast.alice.pk),
        "status": Criteria(None, statuses=("interrupted",)),
    }
    indexes = {row[0] for row in run("SELECT indexdef FROM pg_indexes WHERE tablename ~ '^audit_event_20'")}
    for column, criteria in wanted.items():
        assert criteria.has_index
        assert any(f"({column}, id DESC)" in definition for definition in indexes)
    assert not Criteria(None, text="x").has_index
    assert not Criteria(None, types=("embedding",)).has_index
