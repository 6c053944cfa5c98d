"""What comes between two statements of a worker, what it came to too late, and what was tried more than once."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection

from agents_app.engine import execution, lease, recovery, runner, tool_steps, turns
from agents_app.models import Approval, Run, Step
from agents_app.services.runs import cancel_run
from console.audit.models import AuditEvent
from console.audit.services import record_call
from console.core.clock import now
from console.core.ids import time_of, uuid7
from console.gateway import pipeline
from tests import make
from tests.between import After
from tests.runs.conftest import Shop
from tests.runs.counting import counted, keys
from tests.runs.scripts import wants, words
from usage_app.models import Reservation


def cancel(shop: Shop, run: Run) -> None:
    cancel_run(actor=make.actor_for(shop.ada), run=run)


def pays_freely(shop: Shop) -> None:
    make.publish_agent(shop.agent, grants=[{"tool": "pay", "mode": "allow"}, {"tool": "count"}])


def goes_on(shop: Shop, run: Run) -> Run:
    """Take a run further until it waits for a person or is over, over all its rests."""
    while (run := shop.go(run)).state == "running":
        assert run.wake_at, "it rests"
    return run


def test_a_call_a_worker_came_to_too_late_is_no_attempt_and_is_made_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pays_freely(shop)
    make.publish_agent(shop.agent, limits={"tool_calls": 1})
    late, really = iter(range(4)), execution.call_tool

    def too_late(kind: str, call: Any, *, latest: float) -> Any:
        return really(kind, call, latest=latest if next(late, None) is None else time.monotonic() - 1)

    monkeypatch.setattr(execution, "call_tool", too_late)
    run = goes_on(shop, shop.run(wants(("pay", {"what": "rent"})), words()))
    step = run.steps.get(kind="tool")
    assert (run.state, step.state, step.attempts, run.tool_calls) == ("succeeded", "done", 1, 1)
    assert counted(shop.file) == {"rent": 1}
    assert AuditEvent.objects.filter(type="tool").count() == 1, "what was not begun has no line"


def test_a_worker_that_is_away_while_it_takes_a_run_gets_no_fence_of_anothers(shop: Shop) -> None:
    run, others = shop.start(), list[Run | None]()

    def another_comes() -> None:
        Run.objects.filter(pk=run.pk).update(lease_until=None)
        others.append(lease.take(run.pk))

    with connection.execute_wrapper(After(another_comes)):
        mine = lease.take(run.pk)
    assert others[0] is not None and (mine is None or mine.fence != others[0].fence)
    lease.change(others[0])


def test_a_wish_to_cancel_counts_whenever_it_comes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    begins = shop.start()
    taken = lease.take(begins.pk)
    assert taken is not None
    cancel(shop, begins)
    runner.work(taken)
    begins.refresh_from_db()
    assert begins.state == "cancelled" and not shop.world.upstream.seen

    waits, wait = shop.start(), tool_steps._wait

    def is_about_to_wait(*given: Any) -> Any:
        cancel(shop, waits)
        return wait(*given)

    shop.says(wants(("pay", {"what": "rent"})))
    with monkeypatch.context() as patch:
        patch.setattr(tool_steps, "_wait", is_about_to_wait)
        waits = shop.go(waits)
    assert waits.state == "cancelled" and Approval.objects.get().state == "cancelled"

    rests, put_down = shop.start(), lease.put_down

    def is_about_to_rest(run: Run, **fields: Any) -> None:
        cancel(shop, run)
        put_down(run, **fields)

    shop.world.upstream.enqueue({"error": {"message": "boom"}}, status=500)
    with monkeypatch.context() as patch:
        patch.setattr(lease, "put_down", is_about_to_rest)
        runner.advance(rests.pk)
    rests.refresh_from_db()
    assert (rests.state, rests.wake_at) == ("cancelling", None), "the next worker ends it at once"
    runner.advance(rests.pk)
    rests.refresh_from_db()
    assert rests.state == "cancelled"


def test_a_database_that_is_away_for_a_moment_cuts_no_call_off(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    pays_freely(shop)
    back, renew = shop.file.with_name("is back"), lease.renew

    def away(run: Run) -> None:
        if counted(shop.file, "begun") and not back.exists():
            back.touch()
            raise OperationalError("away")
        renew(run)

    monkeypatch.setattr(turns.lease, "renew", away)
    run = shop.run(wants(("pay", {"what": "rent", "until": str(back)})), words())
    assert back.exists() and run.state == "succeeded" and counted(shop.file) == {"rent": 1}


def test_what_is_refused_after_it_was_tried_has_a_line_of_its_own(shop: Shop) -> None:
    run = shop.run(wants(("count", {"what": "a", "fails": "retry"})), words())
    assert run.state == "running" and run.steps.get(kind="tool").state == "planned"
    type(shop.count).objects.filter(pk=shop.count.pk).update(is_enabled=False)
    run = shop.go(run)
    assert run.state == "succeeded" and run.steps.get(kind="tool").state == "denied"

    asks = shop.run(wants(("pay", {"asks": True})), words())
    asks = shop.decide(asks)
    assert Approval.objects.get(run=asks, state="waiting").kind == "question"
    asks = shop.decide(asks, is_approved=False)
    assert asks.state == "succeeded" and asks.steps.get(kind="tool").state == "denied"
    for one in (run, asks):
        lines = AuditEvent.objects.filter(type="tool", client_request_id=one.public_id)
        assert lines.count() == 2 and lines.filter(status="refused").count() == 1


def test_a_person_says_what_became_of_a_change_that_was_tried_in_vain_and_may_have_happened(shop: Shop) -> None:
    type(shop.pay).objects.filter(pk=shop.pay.pk).update(is_idempotent=True)
    pays_freely(shop)
    run = goes_on(shop, shop.run(wants(("pay", {"what": "rent", "fails": "unknown"})), words()))
    step = run.steps.get(kind="tool")
    assert (run.state, step.state, step.attempts) == ("waiting", "unknown", 3)
    assert counted(shop.file)["rent"] == 3 and len(keys(shop.file, "rent")) == 1
    run = shop.decide(run, answer={"outcome": "done", "result": "Paid."})
    assert run.state == "succeeded"

    fields = {"kind": "tool", "state": "intended", "tool_name": "pay", "call_id": "a", "attempts": 3}
    for arguments, attempts in (({"what": "lost"}, 3), ({"what": "no", "fails": "plainly"}, 2)):
        run = shop.start()
        said = {"role": "assistant", "content": None, "tool_calls": []}
        make.make_step(run, kind="model", state="done", output={"message": said}, tool_name="")
        step = make.make_step(run, **{**fields, "attempts": attempts}, arguments=arguments)
        Step.objects.filter(pk=step.pk).update(request_id=uuid7())
        run = goes_on(shop, run)
        assert (run.state, run.steps.get(kind="tool").state) == ("waiting", "unknown")
        assert "lost" not in counted(shop.file), "it was tried often enough"
        assert Approval.objects.get(run=run).kind == "outcome"


def test_a_model_is_not_held_to_have_failed_where_a_limit_was_in_the_way(shop: Shop) -> None:
    run = shop.start()
    for note in ("rate_limit_exceeded", "rate_limit_exceeded", "not_sent"):
        make.make_step(run, kind="model", state="failed", note=note, tool_name="", attempts=0)
    shop.world.upstream.enqueue({"error": {"message": "boom"}}, status=500)
    shop.says(words("At last."))
    shop.world.forgive()
    assert goes_on(shop, run).state == "succeeded"


def test_an_answer_that_comes_between_two_looks_is_found(shop: Shop) -> None:
    run, request = shop.start(), uuid7()
    long_ago = now().replace(year=2020)
    step = make.make_step(run, kind="model", state="intended", tool_name="", request_id=request)
    Step.objects.filter(pk=step.pk).update(intended_at=long_ago)
    Reservation.objects.create(
        id=request, team_id=run.team_id, process="p", expires_at=now(), quota_ids=[], period_starts=[], metrics=[],
        amounts=[], record="{}",
    )  # fmt: skip
    columns: dict[str, Any] = {"team_id": run.team_id, "model": "fake", "cost_micros": 3}

    def ends() -> None:
        Reservation.objects.all().delete()
        at = time_of(request)
        record_call(
            request, at=at, closed_at=at, type="agent", status="ok", input="", output='{"choices": []}', **columns
        )

    with connection.execute_wrapper(After(ends, of="SELECT")):
        assert recovery.look_up(step).body == b'{"choices": []}'


def test_a_call_that_is_on_record_too_late_is_not_sent(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, float("inf")])
    monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=lambda: next(times, 0.0)))
    shop.says(words("Here."))
    run = shop.go(shop.start())
    assert run.wake_at and not shop.world.upstream.seen, "who looked before that took it for not made"
    run = goes_on(shop, run)
    steps = [(step.state, step.note, step.attempts) for step in run.steps.all()]
    assert steps == [("failed", "too_late", 0), ("done", "Answered", 0)]
    lines = AuditEvent.objects.filter(type="agent").order_by("at", "id")
    assert [(line.code, line.attempts) for line in lines] == [("too_late", 0), ("", 1)]
    assert lines[0].cost_micros == 0 and not Reservation.objects.exists()
