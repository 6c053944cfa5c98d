"""What became of the move: each signal this month beside the month before, read from what really happened."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents_app.models import Agent, Trigger
from console.audit.models import SealState
from console.chat.models import Conversation, Feedback, Message
from console.chat.services import handover
from console.core.clock import now
from console.teams.actors import SYSTEM
from console.teams.models import Role
from console.touchpoints.models import LegacyTouchpoint
from console.touchpoints.services import legacy
from prompts_app.models import LabelMove, PromptUse, PromptVersion
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_touchpoint_day

pytestmark = pytest.mark.django_db
URL = "/api/touchpoints/signals/"
LATELY, BEFORE = dt.timedelta(days=10), dt.timedelta(days=40)


def signals(cast: Cast, query: str = "") -> dict[str, dict]:
    """Return the signals as Alice's program reads them, by name, each figure by its own."""
    found = client_of(cast.alice).get(URL + query).json()
    assert found["days"] == 30
    return {
        one["name"]: one | {"figures": {figure["name"]: figure for figure in one["figures"]}}
        for one in found["signals"]
    }


def values(signal: dict, name: str) -> tuple[float | None, float | None]:
    return signal["figures"][name]["now"], signal["figures"][name]["before"]


def visits(cast: Cast, at: dt.datetime, *, all: int, escalated: int) -> None:
    widget = make.make_widget(cast.team_a, Agent.objects.get(slug="helper"))
    for number in range(all):
        visit = make.make_visit(widget, "Where is it?", "On its way.")
        on_the_way = at if number < escalated else None
        Conversation.objects.filter(pk=visit.pk).update(created_at=at, escalated_at=on_the_way)


def place(
    cast: Cast, name: str, *, listed: dt.datetime, status: str = "planned", over: dt.datetime | None = None
) -> None:
    made = legacy.create_legacy(actor=SYSTEM, team=cast.team_a, name=name, kind="chat", status=status)
    LegacyTouchpoint.objects.filter(pk=made.pk).update(created_at=listed, over_at=over)


def test_nothing_is_said_of_too_little(cast: Cast) -> None:
    found = signals(cast)
    assert {name: one["direction"] for name, one in found.items()} == {
        "fewer_services": "unknown",
        "consistent_answers": "unknown",
        "one_log": "reached",
        "faster_changes": "unknown",
    }
    assert values(found["consistent_answers"], "escalated") == (None, None)
    assert values(found["faster_changes"], "lead_time") == (None, None)
    SealState.objects.update_or_create(pk=1, defaults={"problem": "Record 7 was changed."})
    broken = signals(cast)["one_log"]
    assert broken["direction"] == "worse" and "Record 7" not in broken["said"]
    bob = client_of(cast.bob)  # sees the team's usage, and no log
    [told] = [one for one in bob.get(URL).json()["signals"] if one["name"] == "one_log"]
    assert (told["direction"], told["said"]) == ("reached", "Every touchpoint that is listed writes into the one log.")
    assert b"sealed" not in bob.get("/touchpoints/signals/").content


def test_months_stand_beside_each_other(cast: Cast) -> None:
    moment = now()
    lately, before = moment - LATELY, moment - BEFORE
    # Services: three were left, one came over and one had before.
    for name in ("Help desk", "Reports"):
        place(cast, name, listed=before)
    place(cast, "Search", listed=before - LATELY, status="migrated", over=lately)
    place(cast, "Tickets", listed=before - LATELY, status="retired", over=before)
    # Calls: a key's, an assistant's and an agent's, and another team's.
    prompt = make.make_prompt(cast.team_a, "voice")
    LabelMove.objects.update(moved_at=moment - dt.timedelta(days=90))
    make.make_agent(cast.team_a, "helper", prompt=prompt)
    for at, model in ((lately, "openai/small"), (lately, "mistral/small"), (before, "openai/small")):
        a_touchpoint_day(cast.team_a, "key", cast.kim.pk, at, model=model, requests=4)
    a_touchpoint_day(cast.team_a, "agent", "helper", lately, requests=3)
    a_touchpoint_day(cast.team_a, "agent", "nightly", before, requests=2)
    a_touchpoint_day(cast.team_b, "key", cast.kim.pk, lately, model="other/big")
    # An assistant that was archived was talked to, as was another team's that is shared; what a trigger starts was not,
    # and a name that was given twice is whose it is now.
    Trigger.objects.create(agent=make.make_agent(cast.team_a, "mover", prompt=prompt), kind="webhook", name="Moves")
    before_it = make.make_agent(cast.team_a, "mover-before", prompt=prompt)
    Agent.objects.filter(pk=before_it.pk).update(slug="mover", archived_at=moment)
    Agent.objects.filter(pk=make.make_agent(cast.team_a, "greeter", prompt=prompt).pk).update(archived_at=moment)
    make.make_agent(cast.team_b, "shared")
    for name in ("greeter", "shared", "mover"):
        a_touchpoint_day(cast.team_a, "agent", name, before, requests=7)
    for surface, at in (
        ("api", lately),
        ("widget", lately),
        ("chat", before),
        ("widget", before),
        ("playground", before),
    ):
        PromptUse.objects.create(prompt=prompt, day=at.date(), surface=surface, number=1, calls=5)
    # Answers: a tenth of the conversations needed a person, after a quarter.
    visits(cast, lately, all=20, escalated=2)
    visits(cast, before, all=20, escalated=5)
    answer = Message.objects.filter(role="assistant").first()
    Feedback.objects.create(message=answer, person=cast.alice, is_good=False, given_at=lately)
    # Changes: live two hours after they were saved, after a day; one went back, and came once more.
    versions = [
        PromptVersion.objects.create(prompt=prompt, number=number, content=[], author_name="Ines", created_at=saved)
        for number, saved in enumerate([before] * 3 + [lately] * 3, start=2)
    ]
    hours = dt.timedelta(hours=1)
    moves = [(None, version, version.created_at + hours * 24) for version in versions[:3]]
    moves += [(versions[2], version, version.created_at + hours * 2) for version in versions[3:]]
    moves += [(versions[5], versions[4], lately + hours * 5), (versions[4], versions[5], lately + hours * 6)]
    for came_from, to, at in moves:
        LabelMove.objects.create(
            prompt=prompt, label="production", from_version=came_from, to_version=to, moved_at=at, moved_by_name="Ines"
        )

    found = signals(cast)
    services, answers, log, changes = found.values()
    assert (services["direction"], services["said"]) == ("better", "1 place migrated in 30 days, 2 are left.")
    assert values(services, "left_elsewhere") == (2, 3)
    assert values(services, "came_over") == (1, 1)
    assert values(services, "providers") == (3, 2)  # a day of an agent is of the model "fake/model"
    assert answers["direction"] == "better"
    assert answers["said"] == "10 % of the conversations needed a person, after 25 % the month before."
    assert values(answers, "escalated") == (10, 25)
    assert (values(answers, "unhelpful"), answers["figures"]["unhelpful"]["of_now"]) == ((100, None), 1)
    assert values(answers, "shared_prompts") == (1, 0)
    assert log["direction"] == "better"
    assert [values(log, f"{kind}_calls") for kind in ("chat", "api", "agent")] == [(3, 14), (8, 4), (0, 9)]
    assert changes["direction"] == "better"
    assert changes["said"].startswith("Half of the changes were live within 2 h; the month before it took 1 d.")
    assert values(changes, "lead_time") == (7200, 86400)
    assert (values(changes, "published"), values(changes, "rolled_back")) == ((3, 3), (1, 0))
    assert signals(cast, "?team=team-a") == found
    assert client_of(cast.alice).get(f"{URL}?team=team-b").status_code == 404
    assert client_of(cast.charlie).get(URL).json()["signals"][0]["figures"][0]["now"] == 0

    # The page says the same in words, to whoever sees the team's usage, and leads no further than they may go.
    page = client_of(cast.alice).get("/touchpoints/signals/").content.decode()
    assert "1 place migrated in 30 days" in page and "within 2 h;" in page and "The audit log</a>" in page
    assert "Import a list" in page
    member = client_of(make.make_member(cast.team_a, role=Role.AUDITOR)).get("/touchpoints/signals/").content.decode()
    assert "Getting better" in member and "Import a list" not in member


def test_it_asks_the_database_no_more_for_more(cast: Cast) -> None:
    client = client_of(cast.alice)

    def count() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/touchpoints/signals/").status_code == 200
        return len(asked)

    def grow(number: int) -> None:
        place(cast, f"bot {number}", listed=now())
        visits(cast, now(), all=1, escalated=1)
        make.make_prompt(cast.team_a)
        a_touchpoint_day(cast.team_a, "agent", f"helper-{number}", now())

    make.make_agent(cast.team_a, "helper")
    grow(0)
    count()
    before = count()
    for number in range(1, 4):
        grow(number)
    assert count() == before


def test_when_a_place_was_over_and_a_visitor_needed_a_person_is_kept(cast: Cast) -> None:
    made = legacy.create_legacy(actor=SYSTEM, team=cast.team_a, name="Old bot", kind="chat")
    assert made.over_at is None
    over = legacy.change_legacy(actor=SYSTEM, legacy=made, status="migrated").over_at
    assert over is not None
    assert legacy.change_legacy(actor=SYSTEM, legacy=made, notes="Gone for good.", status="retired").over_at == over
    assert legacy.change_legacy(actor=SYSTEM, legacy=made, status="planned").over_at is None

    visit = make.make_visit(make.make_widget(cast.team_a), "Hello?")
    actor = make.actor_for(cast.alice)
    taken = handover.take_over(actor=actor, person=cast.alice, conversation=visit).escalated_at
    handover.give_back(actor=actor, person=cast.alice, conversation=visit)
    handover.take_over(actor=actor, person=cast.bob, conversation=visit)
    visit.refresh_from_db()
    assert visit.escalated_at == taken is not None
