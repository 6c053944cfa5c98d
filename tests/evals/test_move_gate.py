"""An alias that asks for tests moves in production only where they hold; the way back never waits."""

import datetime as dt
import json
from typing import Any

import pytest

from console.audit.models import AuditEvent
from console.catalog.models import Alias, ModelVersion, Pin
from console.catalog.services import aliases, pins
from console.core.clock import now
from console.core.errors import Conflict
from console.evals import engine, gate
from console.evals.case_run import TESTS
from console.evals.models import Schedule, TestCase, TestRun
from console.evals.services import baselines, cases, runs
from console.teams.actors import SYSTEM
from tests import make
from tests.evals.conftest import World
from tests.evals.test_schedules import answer, scheduled
from tests.make import client_of
from tests.upstream import Upstream, completion

RULE = "/models/aliases/support-chat/tests-rule/"
MOVE = "/models/aliases/support-chat/move/production/"


@pytest.fixture
def other(world: World) -> ModelVersion:
    """Another model, pinned in sandbox; two tests of the live prompt; olga, who asks for them."""
    for name in ("a", "b"):
        world.case(name)
    found = make.make_model("other-model", provider=world.provider)
    Pin.objects.filter(alias=world.alias, environment="sandbox").update(model_version=found)
    assert client_of(world.cast.operator).post(RULE).status_code == 302
    return found


def move(world: World, to: ModelVersion) -> Any:
    revision = Pin.objects.get(alias=world.alias, environment="production").revision
    given = {"to": str(to.pk), "reason": "Cheaper", "seen_revision": revision}
    return client_of(world.cast.operator).post(MOVE, given)


def ran(world: World, said: str, model: str = "support-chat@sandbox", **fields: Any) -> TestRun:
    """Let the tests run on what is pinned in sandbox, + or - or ! by name."""
    run = runs.start_run(actor=world.alice, prompt=world.prompt, version=world.v1, model=model)
    words = {"+": "passed", "-": "failed", "!": "error"}
    for result, one in zip(run.results.order_by("name"), said, strict=True):
        run.results.filter(pk=result.pk).update(status=words[one])
    TestRun.objects.filter(pk=run.pk).update(**{"status": "done", "finished_at": now(), **fields})
    return run


def refusal(world: World, to: ModelVersion) -> str:
    response = move(world, to)
    assert response.status_code == 422
    return str(response.content.decode())


def test_it_moves_where_the_tests_hold(world: World, other: ModelVersion) -> None:
    assert "No tests are scheduled on support-chat in production" in refusal(world, other)
    schedule = scheduled(world, model="support-chat")
    assert "answer@1’s tests have not been run on fake/other-model within a day" in refusal(world, other)
    ran(world, "++")
    assert "have no baseline" in refusal(world, other)
    assert answer(schedule, "++").outcome == "fine"
    ran(world, "+!")
    assert "1 of support/answer@1’s tests could not be asked" in refusal(world, other)
    ran(world, "+-")
    assert "tests fall from 100 % to 50 % on fake/other-model: b." in refusal(world, other)
    ran(world, "++", started_at=now() - dt.timedelta(hours=25))
    assert "to 50 %" in refusal(world, other), "an older run does not speak"
    ran(world, "++", "fake/other-model")
    assert move(world, other).status_code == 302
    pin = Pin.objects.get(alias=world.alias, environment="production")
    assert pin.model_version == other

    # Back again without a word of the tests, and sandbox as before.
    actor = make.actor_for(world.cast.operator)
    pin = pins.roll_back_pin(actor=actor, pin=pin, reason="No", seen_revision=pin.revision)
    assert pin.model_version == world.model
    sandbox = Pin.objects.get(alias=world.alias, environment="sandbox")
    pins.move_pin(
        actor=actor,
        alias=world.alias,
        environment="sandbox",
        to=world.model,
        reason="x",
        seen_revision=sandbox.revision,
    )
    # A version the prompt's label went on to has not been tried.
    make.publish(world.prompt, world.v2)
    assert "answer@2’s tests have not been run" in refusal(world, other)
    Schedule.objects.all().delete()


def test_a_test_that_stands_in_the_way_is_not_taken_out_of_it(world: World, other: ModelVersion) -> None:
    b = TestCase.objects.get(name="b")
    schedule = scheduled(world, model="support-chat")
    assert answer(schedule, "++").outcome == "fine"
    ran(world, "+-")
    assert "fall from 100 % to 50 %" in refusal(world, other)

    # Changed after its run it says nothing yet, and changed before it is what it asks now that counts.
    cases.change_case(actor=world.alice, case=b, message="Please")
    assert "b of support/answer@1’s tests changed since they were run on fake/other-model" in refusal(world, other)
    ran(world, "+-")
    assert "b passed in the baseline of support/answer and changed or went since" in refusal(world, other)
    ran(world, "++")
    assert gate.against_move(world.alias, other) == []

    cases.delete_case(actor=world.alice, case=b)
    assert "b passed in the baseline of support/answer and changed or went since" in refusal(world, other)
    ran(world, "+")
    assert "If that is meant, take a new baseline." in refusal(world, other)
    Schedule.objects.update(tolerance=50)
    assert gate.against_move(world.alias, other) == [], "within the tolerance"
    Schedule.objects.update(tolerance=0)
    now_live = TestRun.objects.get(pk=ran(world, "+", "support-chat@production").pk)
    baselines.take_baseline(actor=world.alice, schedule=schedule, run=now_live, reason="b asked for nothing any more")
    assert move(world, other).status_code == 302


def test_a_promotion_and_a_proposal_are_held_up_too(world: World, other: ModelVersion) -> None:
    actor, pin = make.actor_for(world.cast.operator), Pin.objects.get(alias=world.alias, environment="production")
    given: dict[str, Any] = {"actor": actor, "alias": world.alias, "environment": "production", "reason": "x"}
    pin = pins.change_pin(**given, verb=pins.SetCanary(other, 10), seen_revision=pin.revision)
    with pytest.raises(Conflict, match="moves when its tests hold") as held:
        pins.change_pin(**given, verb=pins.PromoteCanary(), seen_revision=pin.revision)
    assert held.value.code == "tests_needed"
    with pytest.raises(Conflict, match="moves when its tests hold"):
        pins.change_pin(**given, verb=pins.SetCanary(other, 100), seen_revision=pin.revision)
    aliases.require_second_person(actor=actor, alias=world.alias)
    with pytest.raises(Conflict, match="moves when its tests hold"):
        pins.ask_for_change(**given, verb=pins.Move(other), seen_revision=pin.revision)
    Alias.objects.update(needs_tests=False)
    proposal = pins.ask_for_change(**given, verb=pins.Move(other), seen_revision=pin.revision)
    Alias.objects.update(needs_tests=True)
    otto = make.actor_for(make.make_user("otto@example.com", is_superuser=True))
    with pytest.raises(Conflict, match="moves when its tests hold"):
        pins.approve_proposal(actor=otto, proposal=proposal)  # type: ignore[arg-type]
    pins.change_pin(**{**given, "actor": SYSTEM}, verb=pins.Move(other), seen_revision=pin.revision)
    first = make.make_alias("new", sandbox=other)
    aliases.require_tests(actor=actor, alias=first, is_required=True)
    pins.move_pin(actor=actor, alias=first, environment="production", to=other, reason="First", seen_revision=0)


def test_the_rule_is_asked_for_and_ended(world: World, other: ModelVersion) -> None:
    olga, alice = client_of(world.cast.operator), client_of(world.cast.alice)
    assert alice.get(RULE).status_code == alice.post(RULE).status_code == 403
    page = olga.get("/models/aliases/support-chat/").content.decode()
    assert "Production moves require passing tests" in page and "Stop requiring tests" in page
    assert "It moves only if its scheduled tests" in olga.get(MOVE).content.decode()
    assert olga.post(RULE, {"reason": " "}).status_code == 422 and Alias.objects.get(name="support-chat").needs_tests
    assert olga.post(RULE, {"reason": "They are broken"}).status_code == 302
    assert "Require tests" in olga.get("/models/aliases/support-chat/").content.decode()
    assert "It moves only if its scheduled tests" not in olga.get(MOVE).content.decode()
    lines = AuditEvent.objects.filter(action="alias.changed").order_by("at", "id")
    assert [json.loads(line.detail)["after"] for line in lines] == [{"needs_tests": True}, {"needs_tests": False}]
    assert lines[1].reason == "They are broken"

    address = "/api/aliases/support-chat/tests-rule/"
    assert alice.put(address, {"is_required": True}, content_type="application/json").status_code == 403
    put = olga.put(address, {"is_required": True}, content_type="application/json")
    assert put.status_code == 200 and put.json()["needs_tests"] is True
    put = olga.put(address, {"is_required": False}, content_type="application/json")
    assert put.status_code == 400 and put.json()["error"]["param"] == "reason"
    pin = {"model_version": str(other.pk), "reason": "x", "seen_revision": 1}
    moved = olga.put("/api/aliases/support-chat/pins/production/", pin, content_type="application/json")
    assert (moved.status_code, moved.json()["error"]["code"]) == (409, "tests_needed")


def test_what_another_version_answered_does_not_speak(live: World, upstream: Upstream) -> None:
    """A canary or fallback of the pin that the tests are asked by answers for a version that never did."""
    live.case("a")
    found = make.make_model("other-model", provider=live.provider)
    Pin.objects.filter(alias=live.alias, environment="sandbox").update(
        model_version=found, canary_version=live.model, canary_percent=100
    )
    scheduled(live, model="support-chat")
    said = {}
    for model in ("support-chat@sandbox", "fake/other-model"):
        run = runs.start_run(actor=make.actor_for(live.cast.operator), prompt=live.prompt, version=live.v1, model=model)
        upstream.enqueue(completion("Open Settings."))
        engine.advance(TESTS, run.pk)
        run.refresh_from_db()
        assert (run.pinned, run.status, run.results.get().status) == ("fake/other-model", "done", "passed")
        said[model] = gate.against_move(live.alias, found)[0]
    assert "fake/fake-model answered support/answer@1’s tests, not fake/other-model" in said["support-chat@sandbox"]
    assert "have no baseline" in said["fake/other-model"]
