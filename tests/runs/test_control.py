"""What people do to runs while they go: cancel, take rights away, try out, go step by step; and what ends them."""

import threading
import time
from contextlib import suppress

from django.db import connections

from agents_app.errors import AlreadyDecided
from agents_app.models import Agent, Approval, Run, Tool
from agents_app.services.agents import archive_agent
from agents_app.services.approvals import decide_approval, extend_approval
from agents_app.services.runs import cancel_run
from console.core.clock import now
from console.teams.actors import SYSTEM
from console.teams.services import keys as key_services
from console.teams.services import people as people_services
from tests import make
from tests.runs.conftest import Shop
from tests.runs.counting import counted
from tests.runs.scripts import wants, words
from tests.waiting import until


def cancelled_while(shop: Shop, is_there, run: Run) -> Run:
    """Cancel a run from elsewhere once it is where it should be; return it when it has ended."""

    def work() -> None:
        shop.go(run)
        connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    until(is_there, "the run is where it is to be cancelled")
    assert cancel_run(actor=make.actor_for(shop.ada), run=run).state == "cancelling"
    worker.join(50)
    assert not worker.is_alive(), "it ends long before what hangs does"
    run.refresh_from_db()
    return run


def test_cancelling_ends_a_hanging_tool_and_a_hanging_model(shop: Shop) -> None:
    shop.says(wants(("count", {"what": "slow", "seconds": 60}), ("count", {"what": "quick"})))
    run = cancelled_while(shop, lambda: counted(shop.file)["quick"], shop.start())
    assert (run.state, run.code, run.trouble) == ("cancelled", "cancelled", "Ada cancelled it.")
    assert [(step.kind, step.state) for step in run.steps.all()][1:] == [("tool", "unknown"), ("tool", "done")]
    assert counted(shop.file, "begun")["slow"] == 1 and not counted(shop.file)["slow"]

    before = len(shop.world.upstream.seen)
    shop.world.upstream.enqueue_silence(60)
    run = cancelled_while(shop, lambda: len(shop.world.upstream.seen) > before, shop.start())
    assert run.state == "cancelled" and [step.state for step in run.steps.all()] == ["cancelled"]


def test_a_waiting_run_is_cancelled_without_anybody(shop: Shop) -> None:
    run = shop.run(wants(("pay", {"what": "rent"})))
    assert cancel_run(actor=make.actor_for(shop.ada), run=run).state == "cancelled"
    assert Approval.objects.get().state == "cancelled" and shop.go(run).state == "cancelled"


def test_the_next_step_stops_when_whoever_started_it_may_not_any_more(shop: Shop) -> None:
    asks = wants(("pay", {"what": "rent"}))
    run = shop.run(asks)
    people_services.disable_person(actor=SYSTEM, user=shop.ada)
    run = shop.decide(run)
    assert (run.state, run.code) == ("failed", "may_not_run") and "cannot sign in" in run.trouble
    people_services.enable_person(actor=SYSTEM, user=shop.ada)

    key, _ = make.make_key(shop.world.team, "robot")
    run = shop.start()
    Run.objects.filter(pk=run.pk).update(actor_kind="key", actor_id=key.pk)
    shop.says(asks)
    run = shop.go(run)
    assert run.state == "waiting"
    key_services.revoke_key(actor=SYSTEM, key=key)
    run = shop.decide(run)
    assert (run.state, run.code) == ("failed", "may_not_run") and "revoked" in run.trouble

    run = shop.run(asks)
    archive_agent(actor=SYSTEM, agent=Agent.objects.get(pk=shop.agent.pk))
    assert shop.decide(run).code == "may_not_run"
    assert not counted(shop.file)


def test_a_tool_that_is_taken_away_is_not_called_after_its_approval(shop: Shop) -> None:
    for change in ({"is_enabled": False}, {"suspended": "It says something else now."}):
        run = shop.run(wants(("pay", {"what": "rent"})), words())
        Tool.objects.filter(pk=shop.pay.pk).update(**change)
        run = shop.decide(run)
        assert run.state == "succeeded" and run.steps.get(kind="tool").state == "denied"
        Tool.objects.filter(pk=shop.pay.pk).update(is_enabled=True, suspended="")
    assert not counted(shop.file)


def test_a_tool_that_does_something_else_by_now_is_asked_about_anew(shop: Shop) -> None:
    run = shop.run(wants(("pay", {"what": "rent"})), words())
    elsewhere = shop.file.with_name("elsewhere")
    Tool.objects.filter(pk=shop.pay.pk).update(config={"file": str(elsewhere)})
    run = shop.decide(run)
    assert run.state == "waiting" and not counted(shop.file) and not elsewhere.exists()
    # What it is called and how long it may take is not what was decided about.
    Tool.objects.filter(pk=shop.pay.pk).update(description="Pays.", timeout_seconds=9)
    assert shop.decide(run).state == "succeeded" and counted(elsewhere) == {"rent": 1}

    run = shop.run(wants(("pay", {"what": "food"})), words())
    Tool.objects.filter(pk=shop.pay.pk).update(deleted_at=now())
    shop.tool("pay", effect="write", config={"file": str(elsewhere)})
    run = shop.decide(run)
    assert run.state == "waiting" and counted(elsewhere) == {"rent": 1}, "another tool of the same name"


def test_it_keeps_the_version_and_prompt_it_began_with(shop: Shop) -> None:
    run = shop.run(wants(("pay", {"what": "rent"})), words())
    prompt = shop.agent.live.prompt_slug
    from prompts_app.models import Prompt

    row = Prompt.objects.get(slug=prompt)
    make.save(row, "Speak like a pirate.")
    make.publish(row)
    make.publish_agent(shop.agent, grants=[], limits={"steps": 1})
    run = shop.decide(run)
    assert run.state == "succeeded" and counted(shop.file) == {"rent": 1}
    assert shop.sent()[0]["content"] == "Answer briefly."


def test_nobody_in_time_is_a_no(shop: Shop) -> None:
    make.publish_agent(shop.agent, limits={"approval_seconds": 1, "seconds": 60})
    run = shop.run(wants(("pay", {"what": "rent"})), words("Nobody there."))
    time.sleep(1.1)
    run = shop.go(run)
    assert run.state == "succeeded" and Approval.objects.get().state == "expired" and not counted(shop.file)
    assert shop.sent()[-1]["content"] == "Denied: Nobody decided in time."
    assert (run.ends_by - run.started_at).total_seconds() > 61, "waiting for people does not count"


def test_a_try_out_simulates_tools_and_goes_step_by_step(shop: Shop) -> None:
    run = shop.run(wants(("pay", {"what": "rent"})), words(), is_simulated=True)
    run = shop.decide(run, answer={"result": "Paid, says the tester."})
    assert run.state == "succeeded" and shop.sent()[-1]["content"] == "Paid, says the tester."

    shop.says(wants(("pay", {"what": "rent"})), words())
    run = shop.go(shop.start(is_step_by_step=True, trigger="try_out"))
    kinds = []
    while run.state == "waiting":
        kinds.append(Approval.objects.get(run=run, state="waiting").kind)
        run = shop.decide(run)
    assert kinds == ["step", "step", "call", "step"] and run.state == "succeeded" and counted(shop.file) == {"rent": 1}
    run = shop.decide(shop.go(shop.start(is_step_by_step=True)), False)
    assert (run.state, run.code) == ("cancelled", "stopped")


def test_a_last_word_fits_its_schema_or_is_asked_for_again(shop: Shop) -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    make.publish_agent(shop.agent, output_schema=schema)
    run = shop.run(words("Seven."), words('{"sum": 7}'))
    assert (run.state, run.output) == ("succeeded", {"text": '{"sum": 7}', "value": {"sum": 7}})
    assert "not JSON" in shop.sent()[-1]["content"] and '"sum"' in shop.sent()[1]["content"]
    run = shop.run(words("Seven."), words('{"sum": "7"}'), words("{}"))
    assert (run.state, run.code, run.model_calls) == ("failed", "output_does_not_fit", 3)
    assert run.trouble == "The result does not fit. 'sum' is a required property."


def test_a_conversation_that_grows_too_long_is_shortened_on_record(shop: Shop) -> None:
    model = shop.world.model
    model.context_tokens = 3000
    model.save()
    make.publish_agent(shop.agent, limits={"steps": 100})
    long = [wants(("count", {"what": f"thing {n}", "says": f"{n}" + "x" * 3000})) for n in range(8)]
    run = shop.run(*long, words())
    assert run.state == "succeeded" and counted(shop.file).total() == 8
    shortened = run.steps.filter(kind="compaction")
    assert shortened.count() >= 2 and "tokens" in shortened[0].note
    last = shop.sent()
    assert any("[shortened: " in str(message["content"]) for message in last)
    assert any("Earlier calls of this run" in str(message["content"]) for message in last)
    assert all(len(str(seen.body["messages"])) < 3000 * 4 for seen in shop.world.upstream.seen)


def test_an_agent_without_tools_runs_too(shop: Shop) -> None:
    make.publish_agent(shop.agent, grants=[])
    run = shop.run(words("Just this."))
    assert (run.state, run.output["text"], run.steps_done) == ("succeeded", "Just this.", 1)
    assert "tools" not in shop.world.upstream.seen[0].body


def test_a_provider_that_fails_is_asked_again_after_a_rest_and_a_lost_right_is_not(shop: Shop) -> None:
    shop.world.upstream.enqueue({"error": {"message": "boom"}}, status=500)
    shop.says(words("At last."))
    run = shop.start()
    while (run := shop.go(run)).state == "running":
        assert run.wake_at and run.waits_for
        shop.world.forgive()
    assert run.state == "succeeded"
    make.publish_agent(shop.agent, parameters={"temperature": 2})
    from console.catalog.models import Alias

    Alias.objects.get(name="support-chat").teams.set([make.make_team("Others")])
    from console.audit.sql import move_epoch

    move_epoch()
    run = shop.go(shop.start())
    assert (run.state, run.code) == ("failed", "model_not_found")


def test_of_decisions_at_once_one_counts_and_workers_at_once_make_one_call(shop: Shop) -> None:
    run = shop.run(wants(("pay", {"what": "rent"})), words())
    approval, heard = Approval.objects.get(), []

    def decide(is_approved: bool) -> None:
        actor = make.actor_for(shop.anna)
        try:
            decide_approval(actor=actor, approval=approval, is_approved=is_approved, seen_sha256=approval.sha256)
            heard.append(is_approved)
        except AlreadyDecided:
            pass
        connections.close_all()

    def work() -> None:
        shop.go(run)
        connections.close_all()

    def extend() -> None:
        with suppress(AlreadyDecided):
            extend_approval(actor=make.actor_for(shop.anna), approval=approval, seconds=86_400)
        connections.close_all()

    doers = [threading.Thread(target=decide, args=(number % 2 == 0,)) for number in range(6)]
    doers[3:3] = [threading.Thread(target=extend), threading.Thread(target=work), threading.Thread(target=work)]
    for one in doers:
        one.start()
    for one in doers:
        one.join()
    shop.go(run)
    run.refresh_from_db()
    assert len(heard) == 1 and run.state == "succeeded"
    assert counted(shop.file)["rent"] == (1 if heard[0] else 0)
