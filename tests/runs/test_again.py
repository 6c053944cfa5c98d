"""Running again from a step: what came before is taken over as it is on record, and nothing of it happens twice."""

import json

import httpx2 as httpx
import pytest

from agents_app.errors import CannotGoOnFrom, UnknownStep
from agents_app.models import Approval, Run, RunNote
from agents_app.services.reruns import rerun_from
from agents_app.services.runs import Origin
from agents_app.tools.notes.kind import Notes
from console.audit.models import AuditEvent
from console.teams.models import Role
from tests import make
from tests.make import client_of
from tests.runs.conftest import Shop
from tests.runs.counting import counted
from tests.runs.scripts import wants, words

ALLOWED = [{"tool": "count"}, {"tool": "pay", "mode": "allow", "most_calls": 1}, {"tool": "notes"}]


def again(shop: Shop, run: Run, number: int) -> Run:
    return rerun_from(actor=make.actor_for(shop.ada), agent=run.agent, run=run, number=number, origin=Origin("console"))


@pytest.fixture
def run(shop: Shop) -> Run:
    """1 asks for two calls at once (2 pays, 3 notes), 4 asks for 5, and 6 is the last word."""
    shop.tool("notes", kind="notes", effect="read", config={}, parameters=Notes().schema({}, {}))
    make.publish_agent(shop.agent, grants=ALLOWED)
    note = {"action": "write", "name": "rent", "text": "paid"}
    return shop.run(
        wants(("pay", {"what": "rent"}), ("notes", note)),
        wants(("count", {"what": "apples"}), ("notes", note | {"text": "later"})),
        words("Two."),
    )


def test_it_asks_anew_from_a_step_and_repeats_nothing_before_it(shop: Shop, run: Run) -> None:
    assert run.state == "succeeded" and counted(shop.file) == {"rent": 1, "apples": 1}
    make.publish_agent(shop.agent, parameters={"temperature": 1}, grants=[])  # what the agent is by now does not matter
    before, asked = list(run.steps.all()), len(shop.world.upstream.seen)
    made = again(shop, run, 4)
    assert (made.parent, made.parent_step, made.version, made.prompt) == (run, 4, run.version, run.prompt)
    assert RunNote.objects.get(run=made).text == "paid", "as it was before step 4"
    shop.says(wants(("pay", {"what": "rent"}), ("count", {"what": "pears"})), words("Three."))
    made = shop.go(made)
    assert (made.state, made.output["text"]) == ("succeeded", "Three.")
    assert counted(shop.file) == {"rent": 1, "apples": 1, "pears": 1}
    assert len(shop.world.upstream.seen) == asked + 2
    assert shop.sent(asked) == shop.sent(1), "the model reads what it read then"
    steps = list(made.steps.all())
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6, 7]
    assert [step.is_taken_over for step in steps] == [True] * 3 + [False] * 4
    for old, new in zip(before[:3], steps[:3], strict=True):
        for name in ("output", "arguments", "decisions", "request_id", "idempotency_key", "ended_at"):
            assert getattr(old, name) == getattr(new, name)
        assert (new.cost_micros, new.prompt_tokens) == (0, 0)
    # A tool that may be called once in a run was called: a new run does not begin to count anew.
    assert (steps[4].tool_name, steps[4].state) == ("pay", "denied") and "1" in steps[4].trouble
    assert (made.model_calls, made.tool_calls, made.steps_done) == (2, 1, 4)
    lines = AuditEvent.objects.filter(client_request_id=made.public_id)
    assert sum(line.cost_micros for line in lines.filter(type="agent")) == made.cost_micros
    started = json.loads(AuditEvent.objects.get(action="run.started", target=made.public_id).detail)
    assert (started["repeats"], started["from_step"], started["taken_over"]) == (run.public_id, 4, 3)
    assert list(run.steps.all()) == before and Run.objects.get(pk=run.pk).output == run.output
    # Taken over once more, from where it was taken over.
    third = again(shop, made, 4)
    assert [step.is_taken_over for step in third.steps.all()] == [True] * 3


def test_it_goes_on_only_where_the_model_is_asked(shop: Shop, run: Run) -> None:
    for number, said in (
        (2, "choose step 1 or step 4"),
        (3, "choose step 1 or step 4"),
        (5, "choose step 4 or step 7"),
    ):
        with pytest.raises(CannotGoOnFrom, match=said):
            again(shop, run, number)
    with pytest.raises(UnknownStep):
        again(shop, run, 99)
    with pytest.raises(CannotGoOnFrom, match="try-out"):
        again(shop, shop.run(words(), definition=shop.agent.draft, trigger="try_out"), 1)
    assert again(shop, run, 1).steps.count() == 0 and Run.objects.filter(parent=run).count() == 1


def test_it_leaves_a_waiting_run_waiting_and_failed_attempts_behind(shop: Shop, run: Run) -> None:
    make.publish_agent(shop.agent, grants=[{"tool": "count"}, {"tool": "pay"}])
    shop.says(wants(("count", {"what": "figs"})))
    shop.world.upstream.enqueue({"error": {"message": "boom"}}, status=500)
    shop.says(wants(("pay", {"what": "gas"})))
    waits = shop.start()
    while (waits := shop.go(waits)).state == "running":
        shop.world.forgive()
    states = [(step.kind, step.state) for step in waits.steps.all()]
    assert states[2:] == [("model", "failed"), ("model", "done"), ("tool", "waiting")] and waits.state == "waiting"
    made = again(shop, waits, 4)
    assert (made.parent_step, [step.number for step in made.steps.all()]) == (3, [1, 2])
    shop.says(words("Nothing to pay."))
    assert shop.go(made).state == "succeeded" and counted(shop.file)["gas"] == 0
    assert Approval.objects.get().state == "waiting" and Approval.objects.get().run_id == waits.pk
    shop.says(words("Paid."))
    assert shop.decide(waits).state == "succeeded" and counted(shop.file)["gas"] == 1


def test_it_takes_over_a_conversation_that_was_shortened(shop: Shop) -> None:
    model = shop.world.model
    model.context_tokens = 3000
    model.save()
    make.publish_agent(shop.agent, limits={"steps": 100})
    long = [wants(("count", {"what": f"thing {n}", "says": f"{n}" + "x" * 3000})) for n in range(5)]
    run = shop.run(*long, words())
    shortened = run.steps.filter(kind="compaction").last()
    assert shortened is not None
    asked = next(n for n, seen in enumerate(shop.world.upstream.seen) if "[shortened: " in str(seen.body["messages"]))
    number = run.steps.filter(kind="compaction").first().number + 1
    made = again(shop, run, number)
    assert made.steps.filter(kind="compaction").count() == 1
    shop.says(words("As before."))
    assert shop.go(made).state == "succeeded" and shop.sent() == shop.sent(asked)


def test_it_is_asked_for_on_the_page_by_whoever_may_read_and_run(shop: Shop, run: Run) -> None:
    ada, url = client_of(shop.ada), f"/runs/{run.public_id}/"
    shown = ada.get(url).content.decode()
    assert all(f'href="{url}again/{number}/"' in shown for number in (1, 4, 7)) and f"{url}again/2/" not in shown
    assert f'href="{url}again/4/"' in ada.get(url + "?step=4").content.decode()
    asked = ada.get(url + "again/4/").content.decode()
    assert "takes over 3 steps" in asked and Run.objects.count() == 1
    first = ada.get(url + "again/1/").content.decode()
    assert "Step 2, <code>pay</code>" in first and "begins from the start" in first
    assert ada.get(url + "again/2/").status_code == 409 and ada.get(url + "again/99/").status_code == 404
    stranger = make.make_member(make.make_team("Others"))
    member = make.make_member(shop.world.team, role=Role.MEMBER)
    for other in (shop.anna, stranger, member):
        for ask in (client_of(other).get, client_of(other).post):
            assert ask(url + "again/4/").status_code in {403, 404}
    answer = ada.post(url + "again/4/")
    made = Run.objects.get(parent=run)
    assert answer["Location"] == f"/runs/{made.public_id}/" and made.actor_id == shop.ada.pk
    shop.says(words("Once more."))
    shop.go(made)
    shown = ada.get(f"/runs/{made.public_id}/?step=2").content.decode()
    assert f"step 2 of {run.public_id}" in shown and f'href="/runs/{run.pk.hex}/?step=2#step"' in shown
    assert shown.count(">reused<") == 3 and "from step 4" in shown
    compared = ada.get(f"/runs/{made.public_id}/compare/").content.decode()
    assert run.public_id in compared and compared.count('<span class="vh">Same</span>') == 3


def test_programs_run_again_from_a_step(shop: Shop, run: Run, server) -> None:
    with httpx.Client(base_url=server.url, headers=shop.world.headers, timeout=60) as client:
        path = "/v1/agents/clerk/runs"
        own = Run.objects.get(pk=shop.go(_by_key(shop, client, path)).pk)
        body = {"again": {"run": own.public_id, "step": 1}}
        once = client.post(path, json=body, headers={"Idempotency-Key": "again"})
        twice = client.post(path, json=body, headers={"Idempotency-Key": "again"})
        assert (once.status_code, once.json()["id"]) == (202, twice.json()["id"])
        assert once.json()["again"] == {"run": own.public_id, "step": 1} and once.json()["input"] == own.input
        shop.says(wants(("count", {"what": "apples"})), words("One."))
        longer = shop.go(Run.objects.get(pk=client.post(path, json={"input": own.input}).json()["id"][4:]))
        for number, status in ((1, 202), (3, 422)):
            body = {"again": {"run": longer.public_id, "step": number}}
            answer = client.post(path, json=body, headers={"Idempotency-Key": "steps"})
            assert answer.status_code == status, answer.text
        answer = client.post(path, json={"input": own.input}, headers={"Idempotency-Key": "steps"})
        assert answer.status_code == 422, "another body, though its input is the same"
        body = {"again": {"run": own.public_id, "step": 1}}
        assert client.post(path, json={"again": {"run": run.public_id, "step": 1}}).status_code == 404
        for wrong in (body | {"input": {}}, {"again": 3}, {"again": {"run": own.public_id, "step": True}}):
            assert client.post(path, json=wrong).status_code == 400
        steps = client.get(f"{path}/{own.public_id}").json()["steps"]
        assert [step["is_taken_over"] for step in steps] == [False]


def _by_key(shop: Shop, client: httpx.Client, path: str) -> Run:
    shop.says(words("Here."))
    made = client.post(path, json={"input": {"message": "Count."}}).json()
    return Run.objects.get(pk=made["id"].removeprefix("run_"))
