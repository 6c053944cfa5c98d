"""A run: every case asked once, checked, and taken up again where a worker left it."""

import datetime as dt
import json
import threading
import time
import uuid
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.errors import BadInput
from console.core.ids import uuid7
from console.evals import engine, gate, lease, tasks
from console.evals.case_run import TESTS
from console.evals.models import TestResult, TestRun
from console.evals.services import cases, retention, runs
from console.gateway import pipeline, relay, sync
from console.gateway.asks import make_ask
from console.gateway.identity import PersonIdentity
from console.gateway.operations import OPERATIONS
from console.gateway.types import Call, Outcome
from console.teams.actors import SYSTEM
from prompts_app.errors import TestsNeeded
from prompts_app.models import PromptVersion
from prompts_app.services import labels
from tests import make
from tests.evals.conftest import World
from tests.make import client_of
from tests.upstream import Upstream, completion
from tests.waiting import let_it_end, until
from usage_app.models import Quota
from usage_app.services.quotas import set_quota


def start(world: World, version: PromptVersion, model: str = "support-chat@sandbox") -> TestRun:
    return runs.start_run(actor=world.alice, prompt=world.prompt, version=version, model=model)


def results(run: TestRun) -> dict[str, TestResult]:
    return {result.name: result for result in run.results.all()}


def test_it_asks_each_case_and_checks_the_answer(live: World, upstream: Upstream) -> None:
    live.case("plain", [{"kind": "contains", "value": "Settings"}, {"kind": "not_contains", "value": "refund"}])
    judged = [{"kind": "judge", "value": "Is it kind?", "alias": "support-chat"}]
    run = start(live, live.v1)
    upstream.enqueue(completion("Open Settings for a refund."))
    engine.advance(TESTS, run.pk)
    run.refresh_from_db()
    plain = results(run)["plain"]
    assert (run.status, plain.status) == ("done", "failed")
    assert [(check["kind"], check["passed"]) for check in plain.checks] == [("contains", True), ("not_contains", False)]
    line = AuditEvent.objects.get(pk=plain.request_id)
    assert (line.type, line.surface, line.lane, line.actor) == ("evaluation", "evaluation", "batch", "Alice")
    assert (plain.tokens, plain.cost_micros) == (28, line.cost_micros)
    assert json.loads(line.prompt)[0] == {"slug": "support/answer", "number": 1}

    # Checks that ask: a verdict, and one that is none; vectors.
    cases.delete_case(actor=live.alice, case=live.prompt.test_cases.get())
    live.case("judged", judged)
    for verdict, status in (('{"pass": true, "reason": "Kind."}', "passed"), ("I pass it!", "failed")):
        upstream.enqueue(completion("Hello."))
        upstream.enqueue(completion(verdict))
        run = start(live, live.v2)
        engine.advance(TESTS, run.pk)
        judgement = results(run)["judged"]
        assert judgement.status == status, judgement.checks
        assert judgement.tokens == 56
    cases.delete_case(actor=live.alice, case=live.prompt.test_cases.get())
    live.case("near", [{"kind": "similarity", "value": "Hi.", "threshold": 0.9}])
    upstream.enqueue(completion("Hello."))
    vectors = [{"object": "embedding", "index": at, "embedding": [1.0, 0.1 * at]} for at in range(2)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    upstream.enqueue({"object": "list", "data": vectors, "model": "fake-model", "usage": usage})
    run = start(live, live.v2)
    engine.advance(TESTS, run.pk)
    assert results(run)["near"].status == "passed", results(run)["near"].checks


def test_it_keeps_answers_as_the_log_does(live: World, upstream: Upstream, settings: Any) -> None:
    """Judged as it came; kept without the secret in it, not too long, and not for ever."""
    secret = "sk-" + "a1b2c3d4" * 5
    settings.AUDIT_CONTENT_BYTES = 1024
    live.case("leaks", [{"kind": "contains", "value": secret}, {"kind": "json_schema", "value": {"type": "string"}}])
    upstream.enqueue(completion(json.dumps({"key": secret, "more": "x" * 2000})))
    run = start(live, live.v1)
    engine.advance(TESTS, run.pk)
    kept = results(run)["leaks"]
    assert [check["passed"] for check in kept.checks] == [True, False], "the secret was there when it was judged"
    assert secret not in kept.output + json.dumps([check["reason"] for check in kept.checks])
    assert "[redacted]" in kept.output and len(kept.output) == 1024
    assert retention.forget_answers() == 0
    TestRun.objects.update(started_at=now() - dt.timedelta(days=settings.AUDIT_CONTENT_KEEP_DAYS, minutes=1))
    assert (retention.forget_answers(), retention.forget_answers()) == (1, 0)
    gone = results(run)["leaks"]
    assert (gone.output, gone.is_forgotten, gone.status, gone.tokens) == ("", True, "failed", kept.tokens)
    assert [check["reason"] for check in gone.checks] == ["", ""]


def test_it_says_what_went_wrong_with_one_case(live: World, upstream: Upstream) -> None:
    live.case("fine")
    live.case("wrong", variables={"colour": "red"})
    live.case("unjudged", [{"kind": "judge", "value": "Is it kind?", "alias": "nobody"}])
    for _ in range(2):
        upstream.enqueue(completion("Settings."))
    run = start(live, live.v1)
    engine.advance(TESTS, run.pk)
    found = results(run)
    assert (found["fine"].status, found["wrong"].status) == ("passed", "error")
    assert found["unjudged"].status == "error", "a judge that is away says nothing of the answer"
    assert "could not be checked" in found["unjudged"].error and found["unjudged"].output == "Settings."
    assert "colour" in found["wrong"].error and "question" in found["wrong"].error


def test_a_lease_that_is_being_renewed_as_the_turn_ends_does_not_outlive_it(
    live: World, upstream: Upstream, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is handed back is free at once, and not once a lease has run out that nobody has any more."""
    settings.BATCH_LEASE_SECONDS = 0.3
    renewing, usual = threading.Event(), lease.length

    def takes_long() -> dt.timedelta:
        if upstream.seen:
            renewing.set()
            time.sleep(0.3)
        return usual()

    monkeypatch.setattr(lease, "length", takes_long)
    monkeypatch.setattr(engine, "stopping", renewing)
    monkeypatch.setattr(engine, "_AT_ONCE", 1)
    for name in ("under way", "not begun"):
        live.case(name)
    upstream.enqueue_when(renewing.is_set)
    run = start(live, live.v1)
    assert not engine.advance(TESTS, run.pk)
    sync.stop()  # and with it whatever is still in a thread
    run.refresh_from_db()
    assert (run.status, run.lease_until) == ("running", None) and len(upstream.seen) == 1


def test_it_pays_no_case_twice(live: World, upstream: Upstream, settings: Any) -> None:
    """Workers die after the answer, in the middle of the call, before it, and where it waits for its turn."""
    settings.BATCH_LEASE_SECONDS = 0.5
    names = ("answered", "under way", "not begun", "given up", "late")
    for name in names:
        live.case(name)
    run = start(live, live.v1)
    for _ in names:
        upstream.enqueue(completion("Settings."))
    engine.advance(TESTS, run.pk)
    assert len(upstream.seen) == 5
    run.results.update(status="waiting", output="", checks=[], tokens=0)
    body = OPERATIONS["chat"].check({"model": "support-chat", "messages": [{"role": "user", "content": "Hi"}]})

    def left(name: str) -> uuid.UUID:
        run.results.filter(name=name).update(calls={"answer": str(identifier := uuid7())})
        return identifier

    def opened(name: str) -> Call:
        """Open a call as a worker does, which then comes no further."""
        ask = make_ask("chat", body, text="{}", id=left(name), at=now(), surface="evaluation", route="")
        identity = PersonIdentity(live.cast.alice.pk, live.cast.team_a.pk, "sandbox")
        return sync.run(pipeline.open_call(identity, ask))

    under_way, late = opened("under way"), opened("late")
    sync.run(relay.give_up(opened("given up"), "given_up"))
    left("not begun")

    def end() -> None:
        until(lambda: run.results.filter(status="passed").count() == 3, "all but two are done")
        for call in (under_way, late):
            assert results(run)["late"].status == "waiting", "its call is open, so that somebody may yet end it"
            sync.run(relay._close(call, Outcome("interrupted", None, "shutting_down")))
        connection.close()

    TestRun.objects.filter(pk=run.pk).update(status="running", lease_until=now() + dt.timedelta(minutes=1))
    engine.advance(TESTS, run.pk)
    assert results(run)["answered"].status == "waiting", "its lease lives, so somebody works on it"
    TestRun.objects.filter(pk=run.pk).update(lease_until=now() - dt.timedelta(seconds=1))
    for _ in range(2):
        upstream.enqueue(completion("Settings."))
    other = threading.Thread(target=end)
    other.start()
    engine.advance(TESTS, run.pk)
    other.join()
    found = results(run)
    assert {name: one.status for name, one in found.items()} == dict.fromkeys(names, "passed") | {
        "under way": "error",
        "late": "error",
    }
    assert "not made twice" in found["under way"].error
    assert (len(upstream.seen), found["answered"].tokens) == (7, 28)


def test_it_waits_for_the_window_of_a_limit_and_for_no_budget(live: World, upstream: Upstream, settings: Any) -> None:
    let_it_end(3600, 30)

    def limited(**limit: Any) -> Quota:
        return set_quota(actor=SYSTEM, team=live.cast.team_a, mode="hard", **limit)

    judged = [{"kind": "judge", "value": "Is it kind?", "alias": "support-chat"}]
    for name in ("a", "b", "c"):
        live.case(name, judged)
    for _ in range(3):
        upstream.enqueue(completion("Settings."))
        upstream.enqueue(completion('{"pass": true, "reason": "Kind."}'))
    engine._AT_ONCE, was = 1, engine._AT_ONCE
    try:
        quota = limited(metric="requests", window="hour", limit=3)
        run = start(live, live.v1)
        TestRun.objects.update(started_at=now() - dt.timedelta(minutes=1))
        engine.advance(TESTS, run.pk)
        run.refresh_from_db()
        assert (run.status, run.lease_until) == ("running", None) and run.not_before and run.not_before > now()
        assert [one.status for one in results(run).values()] == ["passed", "waiting", "waiting"]
        client = client_of(live.cast.alice)
        page = client.get(reverse("evals:run", args=[live.prompt.slug, run.pk])).content.decode()
        assert "Waiting. The limit of 3 requests an hour of the team" in page and "Next attempt at" in page
        assert lease.sweep(TESTS) == 0, "nobody need look before"
        engine.advance(TESTS, run.pk)
        refused = AuditEvent.objects.filter(status="refused")
        assert len(upstream.seen) == 3 and refused.count() == 1
        quota.delete()
        TestRun.objects.update(not_before=now())
        assert lease.sweep(TESTS) == 1
        engine.advance(TESTS, run.pk)
        run.refresh_from_db()
        found = results(run)
        assert (run.status, run.waits_for, len(upstream.seen)) == ("done", "", 6), "no answer was asked for twice"
        assert {(one.status, one.tokens) for one in found.values()} == {("passed", 56)}
        # A budget, a call that is larger than all of a limit, and a limit that had no room for a day.
        for limit, since in (
            ({"metric": "cost", "window": "day", "limit": 0}, None),
            ({"metric": "tokens", "window": "minute", "limit": 1}, None),
            ({"metric": "requests", "window": "hour", "limit": 1}, now() - dt.timedelta(days=2)),
        ):
            quota = limited(**limit)
            run = start(live, live.v1)
            TestRun.objects.filter(pk=run.pk).update(held_since=since)
            upstream.enqueue(completion("Settings."))
            engine.advance(TESTS, run.pk)
            run.refresh_from_db()
            assert run.status == "done" and "does not allow this request" in results(run)["c"].error, limit
            quota.delete()
    finally:
        engine._AT_ONCE = was


def test_long_work_leaves_others_a_turn(live: World, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cases, and somebody who waits: the four under way end, and the others come after that one's."""
    for number in range(8):
        live.case(f"case-{number}")
    first, second = start(live, live.v1), start(live, live.v2)
    theirs = TestRun.objects.get(pk=start(live, live.v1).pk)  # begun last, by a team that has nothing under way
    TestRun.objects.filter(pk=theirs.pk).update(team=live.cast.team_b)
    TestRun.objects.filter(pk=start(live, live.v2).pk).update(lease_until=now() + dt.timedelta(hours=1))
    is_known, asked = threading.Event(), lease.others_wait

    def others_wait(moment: dt.datetime) -> bool:
        found = asked(moment)
        is_known.set()
        return found

    woken: list[str] = []
    monkeypatch.setattr(engine, "_TURN_WHEN_OTHERS_WAIT", 0.0)
    monkeypatch.setattr(lease, "others_wait", others_wait)
    monkeypatch.setattr("console.core.tasks.current_app.send_task", lambda name, args, **_: woken.append(args[0]))
    for _ in range(4):
        upstream.enqueue_when(is_known.is_set)
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "_turns", threading.BoundedSemaphore(1))
        with tasks._turns:
            tasks.advance_task(str(first.pk))
    assert not upstream.seen, "all that this room may have of the worker's threads is taken"
    tasks.advance_task(str(first.pk))
    assert len(upstream.seen) == 4 and first.results.filter(status="waiting").count() == 4
    assert woken == [str(one.pk) for one in (theirs, second, first)]
    first.refresh_from_db()
    assert first.status == "running" and not first.is_waiting


def test_it_keeps_a_red_version_off_a_label(live: World, upstream: Upstream) -> None:
    labels.set_rule(
        actor=live.alice, team=live.cast.team_a, label="production", needs_review=False, needs_green_tests=True
    )

    def publish() -> None:
        make.publish(live.prompt, live.v2)

    def against() -> str:
        with pytest.raises(TestsNeeded) as refused:
            publish()
        return refused.value.message

    assert "no tests yet" in against()
    case = live.case("sync")
    assert "have not been run on v2" in against()
    upstream.enqueue(completion("No idea."))
    engine.advance(TESTS, start(live, live.v2).pk)
    assert "1 test is red on support-chat: sync." in against()
    upstream.enqueue(completion("Settings."))
    engine.advance(TESTS, start(live, live.v2).pk)
    assert gate.objections(live.v2, "production") == []
    cases.change_case(actor=live.alice, case=case, expected="Settings")
    assert "sync changed since" in against()
    upstream.enqueue(completion("Settings."))
    engine.advance(TESTS, start(live, live.v2).pk)
    publish()
    assert live.prompt.labels.get(name="production").version_id == live.v2.pk


def test_it_stops_and_sweeps(world: World) -> None:
    with pytest.raises(BadInput, match="no tests yet"):
        start(world, world.v1)
    world.case("one")
    run = start(world, world.v1)
    TestRun.objects.update(started_at=now() - dt.timedelta(minutes=1))
    assert lease.sweep(TESTS) == 1
    runs.stop_run(actor=world.alice, run=run)
    assert lease.sweep(TESTS) == 0
    engine.advance(TESTS, run.pk)
    assert results(run)["one"].status == "waiting"
    actions = AuditEvent.objects.filter(action__startswith="test_").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["test_case.created", "test_run.started", "test_run.stopped"]
