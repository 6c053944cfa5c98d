"""The engine from the first question to the last word, with a scripted model and a tool that counts what it did."""

import json

from agents_app.models import Approval, Step
from console.audit.models import AuditEvent, Payload
from console.knowledge.services.collections import create_collection
from console.knowledge.services.documents import add_document
from console.teams.actors import SYSTEM
from tests import make
from tests.runs.conftest import Shop
from tests.runs.counting import counted
from tests.runs.scripts import wants, words


def test_it_calls_what_the_model_asks_for_side_by_side_and_ends_with_its_last_word(shop: Shop) -> None:
    calls = [("count", {"what": "apples", "says": "seven", "seconds": 0.2}), ("count", {"what": "pears"})]
    run = shop.run(wants(*calls, text="I count both."), words("Seven apples, and pears."))
    assert (run.state, run.output, run.code) == ("succeeded", {"text": "Seven apples, and pears."}, "")
    assert shop.steps(run) == [
        ("model", "", "done"),
        ("tool", "count", "done"),
        ("tool", "count", "done"),
        ("model", "", "done"),
    ]
    assert run.steps.all()[0].note == "Wants count × 2"
    assert counted(shop.file) == {"apples": 1, "pears": 1}
    assert (run.steps_done, run.model_calls, run.tool_calls, run.tokens) == (4, 2, 2, 56)
    assert run.lease_until is None and run.started_at and run.ended_at

    first, second = shop.world.upstream.seen
    assert [tool["function"]["name"] for tool in first.body["tools"]] == ["count", "pay"]
    assert [message["role"] for message in second.body["messages"]] == ["system", "user", "assistant", "tool", "tool"]
    assert [message["content"] for message in second.body["messages"][3:]] == ["seven", "pears is done"]
    ids = [call["id"] for call in second.body["messages"][2]["tool_calls"]]
    assert [message["tool_call_id"] for message in second.body["messages"][3:]] == ids


def test_its_documents_are_before_its_input_at_every_step(shop: Shop) -> None:
    prices = create_collection(actor=SYSTEM, team=shop.world.team, slug="prices", name="Prices")
    add_document(actor=SYSTEM, collection=prices, name="Fruit", text="Apples are counted in baskets.")
    make.publish_agent(shop.agent, knowledge=["prices"])
    run = shop.run(wants(("count", {"what": "apples"})), words("Done."), message="Count the apples.")
    assert run.state == "succeeded"
    for number in (-2, -1):
        asked = next(one for one in shop.sent(number) if one["role"] == "user")
        assert "in baskets" in asked["content"] and asked["content"].endswith("Count the apples.")
    lines = AuditEvent.objects.filter(client_request_id=run.public_id, type="agent")
    assert all(json.loads(line.detail)["knowledge"]["sources"] for line in lines) and len(lines) == 2


def test_every_step_has_its_line_in_the_log(shop: Shop) -> None:
    run = shop.run(wants(("count", {"what": "apples"})), words())
    lines = AuditEvent.objects.filter(client_request_id=run.public_id).order_by("id")
    told = [(line.type, line.status, line.agent, line.actor, line.surface, line.target) for line in lines]
    shared = ("clerk@1", "Ada", "agent")
    assert told == [("agent", "ok", *shared, ""), ("tool", "ok", *shared, "count"), ("agent", "ok", *shared, "")]
    tool = lines[1]
    kept = {payload.kind: payload.body for payload in Payload.objects.filter(event_id=tool.pk)}
    assert kept == {"input": '{"what":"apples"}', "output": "apples is done"}
    assert json.loads(tool.detail)["decisions"][0]["rule"] == "default"
    assert AuditEvent.objects.get(action="run.ended").target == run.public_id
    models = [step.request_id for step in run.steps.filter(kind="model")]
    assert models == [lines[0].pk, lines[2].pk] and run.cost_micros == sum(line.cost_micros for line in lines)


def test_it_asks_a_person_and_calls_exactly_what_was_approved_once(shop: Shop) -> None:
    run = shop.run(wants(("pay", {"what": "rent"}), text="The rent is due."), words("Paid."))
    assert (run.state, run.waits_for, run.lease_until) == ("waiting", "pay", None)
    approval = Approval.objects.get()
    assert (approval.kind, approval.arguments, approval.reason) == ("call", {"what": "rent"}, "The rent is due.")
    assert run.wake_at == approval.expires_at and not counted(shop.file)
    assert shop.go(run).state == "waiting", "waking it decides nothing"
    run = shop.decide(run)
    assert run.state == "succeeded" and counted(shop.file) == {"rent": 1}
    step = run.steps.get(kind="tool")
    assert [one["rule"] for one in step.decisions] == ["default", "approval", "default"]
    assert shop.go(run).state == "succeeded" and counted(shop.file) == {"rent": 1}


def test_a_refusal_is_told_to_the_model_with_the_message(shop: Shop) -> None:
    run = shop.run(wants(("pay", {"what": "rent"})), words("Then not."))
    run = shop.decide(run, False, message="Wait until Friday.")
    assert (run.state, run.output["text"]) == ("succeeded", "Then not.") and not counted(shop.file)
    assert shop.sent()[-1]["content"] == "Denied: A person refused this call. Wait until Friday."
    line = AuditEvent.objects.get(type="tool")
    assert (line.status, line.code) == ("refused", "denied_approval")


def test_calls_that_need_nobody_go_on_while_others_wait(shop: Shop) -> None:
    run = shop.run(wants(("pay", {"what": "rent"}), ("count", {"what": "apples"})), words())
    assert run.state == "waiting" and counted(shop.file) == {"apples": 1}
    assert shop.decide(run).state == "succeeded" and counted(shop.file) == {"apples": 1, "rent": 1}


def test_an_edit_is_what_is_called_and_the_model_is_told(shop: Shop) -> None:
    from tests import make

    make.publish_agent(shop.agent, grants=[{"tool": "pay", "editable": ["what"]}])
    run = shop.run(wants(("pay", {"what": "rent", "says": "ok"})), words())
    run = shop.decide(run, edited_arguments={"what": "half the rent", "says": "ok"})
    assert run.state == "succeeded" and counted(shop.file) == {"half the rent": 1}
    assert shop.sent()[-1]["content"].startswith("[A person changed the arguments before approving: ")


def test_a_question_is_put_to_a_person_and_the_answer_is_the_result(shop: Shop) -> None:
    run = shop.run(wants(("count", {"asks": True})), words("Medium it is."))
    question = Approval.objects.get()
    assert (run.state, question.kind, question.reason) == ("waiting", "question", "Which size?")
    run = shop.decide(run, answer={"size": "m"})
    assert run.state == "succeeded" and json.loads(shop.sent()[-1]["content"]) == {"size": "m"}


def test_what_fails_is_told_repeated_or_asked_about_as_the_tool_says(shop: Shop) -> None:
    run = shop.run(wants(("count", {"what": "a", "fails": "plainly"})), words())
    assert run.state == "succeeded" and shop.sent()[-1]["content"] == "Error: The shelf is empty."

    run = shop.run(wants(("count", {"what": "b", "fails": "retry"})), words())
    for _ in range(2):
        assert run.state == "running" and run.wake_at, "it rests before it tries again"
        run = shop.go(run)
    assert run.state == "succeeded" and counted(shop.file, "begun")["b"] == 3
    assert run.steps.get(kind="tool").attempts == 3

    run = shop.run(wants(("count", {"what": "c", "fails": "unknown"})), words())
    while run.state == "running":
        run = shop.go(run)
    assert run.state == "succeeded" and counted(shop.file)["c"] == 3, "what only reads is simply read again"

    for fails in ("unknown", "broken"):
        run = shop.decide(shop.run(wants(("pay", {"what": fails, "fails": fails})), words()))
        approval = Approval.objects.get(run=run, state="waiting")
        assert (run.state, approval.kind, counted(shop.file)[fails]) == ("waiting", "outcome", 1)
        assert run.steps.get(kind="tool").state == Step.State.UNKNOWN
        run = shop.decide(run, answer={"outcome": "done", "result": "The bank has it."})
        assert run.state == "succeeded" and shop.sent()[-1]["content"].endswith("The bank has it.")
        assert counted(shop.file)[fails] == 1, "nothing is done twice"
