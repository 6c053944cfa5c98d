"""Schedules: rounds begin once per tick and at promotions, baselines are frozen, drift opens one incident."""

import datetime as dt
import json
from typing import Any

import pytest
from django.db.models import F
from django.urls import reverse

from console.audit.models import AuditEvent
from console.catalog.models import Pin
from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotAllowed
from console.evals import beat, gate
from console.evals.models import Baseline, Incident, Round, Schedule, TestResult, TestRun
from console.evals.queries import schedules as queries
from console.evals.services import baselines, incidents, outcomes, retention, rounds, runs, schedules
from console.notices.models import Notice
from console.teams.actors import SYSTEM, Actor
from console.teams.models import User
from console.teams.roles import INSTALLATION
from console.teams.services.keys import rotate_key
from tests import make
from tests.evals.conftest import World
from tests.make import client_of

MODEL = "support-chat@sandbox"


@pytest.fixture
def schedule(world: World) -> Schedule:
    """Two tests on v1, and their schedule of every night, whose first run has not been made yet."""
    for name in ("a", "b"):
        world.case(name)
    return scheduled(world)


def scheduled(world: World, **fields: Any) -> Schedule:
    given = {"label": "production", "model": MODEL, "cron": "0 3 * * *", **fields}
    return schedules.create_schedule(actor=world.alice, prompt=world.prompt, **given)


def answer(schedule: Schedule, said: str) -> Round:
    """Give the run that goes on its results, + or - or ! by name, and judge its round."""
    found = Round.objects.filter(schedule=schedule, outcome="open").get()
    assert found.run is not None
    words = {"+": "passed", "-": "failed", "!": "error"}
    for result, one in zip(found.run.results.order_by("name"), said, strict=True):
        result.status, result.error = words[one], "The provider is away." if one == "!" else ""
        result.save(update_fields=["status", "error"])
    TestRun.objects.filter(pk=found.run_id).update(status="done", finished_at=now())
    outcomes.settle_run(found.run_id)
    outcomes.settle_run(found.run_id)
    found.refresh_from_db()
    schedule.refresh_from_db()
    return found


def make_due(schedule: Schedule, ago: dt.timedelta = dt.timedelta(minutes=1)) -> None:
    Schedule.objects.filter(pk=schedule.pk).update(next_at=now() - ago)


def actions_of(world: World) -> list[str]:
    rows = AuditEvent.objects.filter(target_id=str(world.prompt.pk), action__regex="schedule|baseline|drift")
    return list(rows.order_by("at", "id").values_list("action", flat=True))


def test_it_runs_at_once_and_freezes_the_first_score(world: World, schedule: Schedule) -> None:
    (first,) = schedule.rounds.all()
    assert first.run is not None
    assert (first.run.version, first.run.model, first.run.environment) == (world.v1, "support-chat", "sandbox")
    assert (first.run.pinned, first.run.started_by_name) == (str(world.model), "Alice")
    assert answer(schedule, "+-").outcome == "fine"
    assert schedule.baseline is not None
    assert (schedule.baseline.score, schedule.baseline.run) == (50, first.run)
    assert actions_of(world) == ["test_schedule.created", "test_baseline.taken"]


def test_a_tick_runs_the_tests_once_however_late(world: World, schedule: Schedule) -> None:
    answer(schedule, "++")
    beat.tick()
    assert schedule.rounds.count() == 1
    make_due(schedule, dt.timedelta(days=9))
    beat.tick()
    make_due(schedule, dt.timedelta(days=9))
    beat.tick()
    (late,) = schedule.rounds.filter(cause="due")
    schedule.refresh_from_db()
    assert late.outcome == "open" and schedule.next_at > now(), "nine days missed are one round"
    make_due(schedule)
    answer(schedule, "++")
    Round.objects.filter(pk=late.pk).update(key="another day")
    beat.tick()
    assert schedule.rounds.filter(cause="due").count() == 2


def test_it_goes_on_where_the_clock_was_ahead_and_is_put_right(world: World, schedule: Schedule) -> None:
    ahead = now() + dt.timedelta(days=3)
    Round.objects.update(at=ahead)
    Schedule.objects.update(next_at=ahead + dt.timedelta(days=1))
    beat.tick()
    schedule.refresh_from_db()
    assert schedule.next_at <= now() + dt.timedelta(days=1)


def test_drift_opens_one_incident_and_closes_by_itself(world: World, schedule: Schedule) -> None:
    answer(schedule, "++")
    make_due(schedule)
    beat.tick()
    suspicious = answer(schedule, "+-")
    assert (suspicious.outcome, suspicious.lost) == ("suspicious", ["b"])
    assert not Incident.objects.exists()
    assert answer(schedule, "++").outcome == "fine", "asked again, and it was a flaky case"

    schedules.run_now(actor=world.alice, schedule=schedule)
    answer(schedule, "+-")
    assert answer(schedule, "+-").outcome == "drifted"
    incident = Incident.objects.get()
    assert (incident.score_before, incident.score_after, incident.lost) == (100, 50, ["b"])
    told = Notice.objects.get()
    assert "No longer passes: b" in told.text and "fell from 100 % to 50 %" in told.text
    assert (told.facts["type"], told.facts["lost"]) == ("drift.found", ["b"])
    assert world.cast.alice.email in told.deliveries.values_list("address", flat=True)
    schedules.run_now(actor=world.alice, schedule=schedule)
    assert answer(schedule, "--").outcome == "drifted"
    TestResult.objects.all().delete()  # as past their retention
    schedules.run_now(actor=world.alice, schedule=schedule)
    assert (answer(schedule, "--").outcome, answer(schedule, "--").outcome) == ("suspicious", "drifted")
    schedules.run_now(actor=world.alice, schedule=schedule)
    assert answer(schedule, "+!").outcome == "incomplete", "half an answer closes nothing"
    assert "could not be asked. The provider is away." in schedule.trouble
    assert Incident.objects.get().closed_at is None
    schedules.run_now(actor=world.alice, schedule=schedule)
    assert answer(schedule, "++").outcome == "fine"
    incident.refresh_from_db()
    assert incident.closed_at is not None and "Back within the tolerance" in incident.closed_reason
    assert actions_of(world)[2:] == ["drift.found", "drift.ended"]
    assert Notice.objects.count() == 2, "what was found twice is told once"


def test_what_is_promoted_is_tried_at_once(world: World, schedule: Schedule) -> None:
    answer(schedule, "++")
    make.publish(world.prompt, world.v2)
    beat.tick()
    beat.tick()
    (promoted,) = schedule.rounds.filter(cause="promotion")
    assert promoted.run is not None and promoted.run.version == world.v2
    answer(schedule, "++")
    assert schedule.baseline is not None
    assert (schedule.baseline.version, schedule.baseline.reason) == (world.v2, "production moved from v1 to v2.")

    # A run of the version before, which ends only now, takes nothing back.
    late = runs.start_run(actor=world.alice, prompt=world.prompt, version=world.v1, model=MODEL)
    Round.objects.create(schedule=schedule, key="late", cause="due", run=late)
    answer(schedule, "++")
    assert schedule.baseline is not None and schedule.baseline.version == world.v2

    # A worse model: the baseline stays, and people are told, until somebody says that this is good enough.
    worse = make.make_model("worse", provider=world.provider, capabilities=["chat"])
    Pin.objects.filter(alias=world.alias, environment="sandbox").update(model_version=worse)
    beat.tick()
    answer(schedule, "-+")
    found = answer(schedule, "-+")
    assert (found.outcome, Baseline.objects.count()) == ("drifted", 2)
    assert f"support-chat moved from {world.model} to {worse}" in Incident.objects.get().sentence
    assert found.run is not None
    with pytest.raises(BadInput, match="Say why"):
        baselines.take_baseline(actor=world.alice, schedule=schedule, run=found.run, reason=" ")
    baselines.take_baseline(actor=world.alice, schedule=schedule, run=found.run, reason="It costs a tenth.")
    assert "It costs a tenth." in Incident.objects.get().closed_reason
    schedules.run_now(actor=world.alice, schedule=schedule)
    assert answer(schedule, "-+").outcome == "fine"


def test_a_run_of_what_is_tested_no_more_is_no_measure_of_what_is(world: World, schedule: Schedule) -> None:
    other = make.make_model("other", provider=world.provider, capabilities=["chat"])
    schedules.change_schedule(actor=world.alice, schedule=schedule, model=str(other))
    late = Round.objects.get(cause="by_hand")
    assert late.run is not None and late.run.model == "support-chat"
    TestRun.objects.filter(pk=late.run_id).update(status="done", finished_at=now())
    late.run.results.update(status="passed")
    outcomes.settle_run(late.run.pk)
    late.refresh_from_db()
    schedule.refresh_from_db()
    assert (late.outcome, late.sentence) == ("incomplete", "Another label or model is tested now.")
    assert schedule.baseline is None
    schedules.run_now(actor=world.alice, schedule=schedule)
    assert answer(schedule, "+-").sentence == "Taken as the baseline."


def test_a_paused_schedule_repeats_nothing(world: World, schedule: Schedule) -> None:
    answer(schedule, "++")
    make_due(schedule)
    beat.tick()
    schedules.pause_schedule(actor=world.alice, schedule=schedule)
    found = answer(schedule, "+-")
    assert (found.outcome, schedule.rounds.count()) == ("suspicious", 2)
    assert found.sentence == "Passed before and not now: b. Not asked again, for the schedule is paused."


def test_a_run_that_opened_the_gate_speaks_for_what_it_let_through(world: World, schedule: Schedule) -> None:
    answer(schedule, "++")
    gate = runs.start_run(actor=world.alice, prompt=world.prompt, version=world.v2, model=MODEL)
    gate.results.update(status="passed")
    TestRun.objects.filter(pk=gate.pk).update(status="done")
    make.publish(world.prompt, world.v2)
    beat.tick()
    schedule.refresh_from_db()
    assert schedule.baseline is not None and schedule.baseline.run == gate
    assert TestRun.objects.count() == 2, "nothing is asked twice"


def test_losses_of_promotions_add_up(world: World, schedule: Schedule) -> None:
    """Each within the tolerance, together they are drift, until somebody says that this is good enough."""
    schedules.change_schedule(actor=world.alice, schedule=schedule, tolerance=50)
    answer(schedule, "++")
    make.publish(world.prompt, world.v2)
    beat.tick()
    slipped = answer(schedule, "+-")
    assert (slipped.outcome, slipped.score) == ("fine", 50)
    assert "Taken as the baseline. Still counted as passed before: b." in slipped.sentence
    assert schedule.baseline is not None
    assert (schedule.baseline.version, schedule.baseline.score) == (world.v2, 100)
    make.publish(world.prompt, make.save(world.prompt, "Be short. {{question}}"))
    beat.tick()
    assert answer(schedule, "--").outcome == "suspicious"
    assert answer(schedule, "--").outcome == "drifted"
    assert Incident.objects.get().lost == ["a", "b"]
    red = schedule.rounds.filter(outcome="drifted").get().run
    assert red is not None
    baselines.take_baseline(actor=world.alice, schedule=schedule, run=slipped.run, reason="Half is enough.")  # type: ignore[arg-type]
    schedule.refresh_from_db()
    assert (schedule.baseline.score, Incident.objects.filter(closed_at=None).exists()) == (50, False)


def test_results_go_with_the_log_and_the_history_of_drift_stays(world: World, schedule: Schedule) -> None:
    answer(schedule, "++")
    schedules.run_now(actor=world.alice, schedule=schedule)
    answer(schedule, "+-")
    answer(schedule, "+-")
    # Three that no schedule names: the newest that ended, an older one, and one that was stopped.
    for status in ("done", "stopped", "done"):
        one = runs.start_run(actor=world.alice, prompt=world.prompt, version=world.v1, model=MODEL)
        one.results.update(status="passed")
        TestRun.objects.filter(pk=one.pk).update(status=status, finished_at=now())
    going_on = runs.start_run(actor=world.alice, prompt=world.prompt, version=world.v2, model=MODEL)
    history, incident = queries.history(schedule), Incident.objects.get()
    assert history is not None and sum(retention.forget_runs().values()) == 0
    TestRun.objects.update(started_at=F("started_at") - dt.timedelta(days=401))
    world.prompt.test_cases.update(changed_at=F("changed_at") - dt.timedelta(days=402))
    assert retention.forget_runs() == {"results": 10, "runs": 2} and sum(retention.forget_runs().values()) == 0
    assert set(TestRun.objects.filter(results__isnull=False)) == {one, going_on}, "the gate goes by the newest"
    assert not gate.objections(world.v1, "production")
    again = queries.history(schedule)
    assert again is not None and (again.data, again.label) == (history.data, history.label)
    assert [(r.outcome, r.score, r.lost) for r in again.rounds] == [
        (r.outcome, r.score, r.lost) for r in history.rounds
    ]
    schedule.refresh_from_db()
    assert schedule.baseline is not None and len(schedule.baseline.cases) == 2 and incident.lost == ["b"]
    client = client_of(world.cast.alice)
    first = again.rounds[0].run
    assert first is not None
    page = client.get(reverse("evals:run", args=[world.prompt.slug, first.pk])).content.decode()
    assert "Past retention" in page and "All green" not in page
    line = AuditEvent.objects.get(action="audit.retention_applied")
    assert json.loads(line.detail) == {"results": 10, "runs": 2}


def test_it_pauses_when_nobody_answers_for_it(world: World, schedule: Schedule) -> None:
    answer(schedule, "++")
    User.objects.filter(pk=world.cast.alice.pk).update(is_active=False)
    make_due(schedule)
    beat.tick()
    schedule.refresh_from_db()
    assert Notice.objects.get().facts["type"] == "schedule.paused"
    assert schedule.is_paused and "Alice cannot sign in any more" in schedule.pause_reason
    make_due(schedule)
    beat.tick()
    assert [one.outcome for one in schedule.rounds.filter(cause="due")] == ["refused"]
    key, _ = make.make_key(world.cast.team_a, name="nightly", scopes=["models:call", "prompts:write"])
    schedules.resume_schedule(actor=Actor("key", key.pk, key.name), schedule=schedule)
    schedule.refresh_from_db()
    assert not schedule.is_paused and schedule.next_at > now()
    heir, _ = rotate_key(actor=SYSTEM, key=key, overlap=dt.timedelta(hours=1))
    type(key).objects.filter(pk=key.pk).update(expires_at=now())
    assert rounds.objection(world.cast.team_a, rounds.acting(schedule)) == "", "the key that replaced it goes on"
    type(key).objects.filter(pk=heir.pk).update(scopes=["models:call"])
    make_due(schedule)
    beat.tick()
    schedule.refresh_from_db()
    assert "nightly may not run tests for Team A" in schedule.pause_reason
    # A key that may manage every team calls for its own: its rounds would count, and stand in the log, there.
    other, _ = make.make_key(world.cast.team_b, owner=world.cast.operator, scopes=[INSTALLATION, "models:call"])
    stranger = Actor("key", other.pk, other.name)
    for begin in (
        lambda: runs.start_run(actor=stranger, prompt=world.prompt, version=world.v1, model=MODEL),
        lambda: schedules.resume_schedule(actor=stranger, schedule=schedule),
        lambda: schedules.run_now(actor=stranger, schedule=schedule),
    ):
        with pytest.raises(NotAllowed, match="take a key of Team A"):
            begin()
    Schedule.objects.update(acts_as_id=other.pk, acts_as_name=other.name, is_paused=False)
    make_due(schedule)
    beat.tick()
    schedule.refresh_from_db()
    assert schedule.is_paused and "take a key of Team A. Whoever resumes it" in schedule.pause_reason


def test_it_says_what_cannot_be_scheduled(world: World) -> None:
    with pytest.raises(BadInput, match="no tests yet"):
        scheduled(world)
    world.case("a")
    schedule = scheduled(world)
    for wrong, what in (
        ({"cron": "every night"}, "no cron expression"),
        ({"cron": "*/5 * * * *"}, "more often than every 15 minutes"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"label": "canary", "model": "x"}, "on no version yet"),
        ({"label": "Not a label", "model": "x"}, "which label"),
        ({"model": ""}, "which alias"),
        ({"tolerance": 101, "model": "x"}, "whole number"),
    ):
        with pytest.raises(BadInput, match=what):
            scheduled(world, **wrong)
    with pytest.raises(Conflict, match="has a schedule already"):
        scheduled(world)
    changed = schedules.change_schedule(actor=world.alice, schedule=schedule, cron="0 4 * * 1", tolerance=0)
    assert (changed.when_words, changed.tolerance) == ("at 04:00 on Monday, UTC", 0)
    line = AuditEvent.objects.get(action="test_schedule.changed")
    assert json.loads(line.detail)["before"] == {"cron": "0 3 * * *", "tolerance": 5}
    schedules.delete_schedule(actor=world.alice, schedule=schedule)
    assert TestRun.objects.count() == 1 and not Schedule.objects.exists()


def test_a_person_closes_an_incident(world: World, schedule: Schedule) -> None:
    answer(schedule, "++")
    schedules.run_now(actor=world.alice, schedule=schedule)
    answer(schedule, "--")
    answer(schedule, "--")
    incident = Incident.objects.get()
    with pytest.raises(BadInput, match="Say why"):
        incidents.close_incident(actor=world.alice, incident=incident, reason="")
    incidents.close_incident(actor=world.alice, incident=incident, reason="The provider mended it.")
    incident.refresh_from_db()
    assert (incident.closed_by_name, incident.closed_reason) == ("Alice", "The provider mended it.")
    with pytest.raises(Conflict):
        incidents.close_incident(actor=world.alice, incident=incident, reason="Again.")
