"""A call of the log on the page: what it said can be changed and asked again, and that it was read is recorded."""

import json
import uuid
from typing import Any

from console.audit.models import AuditEvent
from console.audit.services.calls import record_call
from console.core.clock import now
from console.core.ids import request_id, uuid7
from console.teams.models import Role
from prompts_app.models import Prompt
from tests import make
from tests.make import client_of
from tests.playground.conftest import World
from tests.upstream import completion

CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"order": 7}'}}
SAID: list[dict[str, Any]] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Order 7?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "<b>lost</b>"},
    {"role": "user", "content": "And now?"},
]
TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]


def recorded(world: World, body: dict[str, Any] | None = None, answer: str = "Yes.", **fields: Any) -> uuid.UUID:
    """Put an answered call of Team A into the log."""
    given = {"model": "support-chat", **(body or {"messages": SAID, "tools": TOOLS, "max_completion_tokens": 90})}
    usual: dict[str, Any] = {
        **{"type": "chat", "status": "ok", "team_id": world.cast.team_a.pk, "team": "Team A", "alias": "support-chat"},
        **{"environment": "production", "model": "fake/fake-model", "prompt_tokens": 20, "completion_tokens": 6},
    }
    record_call(
        id := uuid7(),
        at=now(),
        closed_at=now(),
        input=json.dumps({**given, "user": "customer-9"}),
        output=json.dumps(completion(answer)),
        **{**usual, **fields},
    )
    return id


def page(person: Any, id: uuid.UUID) -> Any:
    return client_of(person).get(f"/playground/?record={request_id(id)}")


def typed(html_context: Any) -> dict[str, str]:
    """What the page would send."""
    bench = html_context["bench"]
    form = {"for": bench.team, "prompt": bench.slug, "message": bench.message, "extra": bench.extra}
    for at, turn in enumerate(bench.turns):
        form |= {f"t-{at}-role": turn.role, **({f"t-{at}-raw": turn.raw} if turn.raw else {f"t-{at}-text": turn.text})}
    for one in bench.set_ups:
        form |= {f"{one.letter}-model": one.model, f"{one.letter}-version": one.version}
        form |= {f"{one.letter}-{name}": text for name, text in one.parameters.items()}
    return form | {f"var-{name}": text for name, text in bench.values.items()} | {"record": bench.record}


def test_it_stands_on_the_page_as_it_was_asked(world: World) -> None:
    id = recorded(world)
    response = page(world.cast.alice, id)
    bench, html = response.context["bench"], response.content.decode()
    (only,) = bench.set_ups
    assert (only.model, only.answer, only.parameters["max_tokens"]) == ("support-chat@production", "Yes.", "90")
    assert [(one.role, one.text) for one in bench.turns[:2]] == [("system", "Be kind."), ("user", "Order 7?")]
    assert [json.loads(one.raw) for one in bench.turns[2:]] == SAID[2:4] and bench.message == "And now?"
    assert json.loads(bench.extra) == {"tools": TOOLS}, "nobody is asked for in a customer's name"
    assert "&lt;b&gt;lost&lt;/b&gt;" in html and "find({&quot;order&quot;: 7})" in html and "<b>lost" not in html
    read = AuditEvent.objects.get(action="content.read")
    assert (read.actor, read.target) == ("Alice", request_id(id))

    # What is sent is what was said then, with whatever was changed, and what the page offers keeps all of it.
    alice = client_of(world.cast.alice)
    form = {**typed(response.context), "t-0-text": "Be\r\nbrief.", "message": "Once\r\nmore"}
    code = alice.post("/playground/code/?set-up=a", form).context["snippets"][0].text
    sent = json.loads(code.split("-d ", 1)[1].strip("'"))
    assert sent["messages"] == [{"role": "system", "content": "Be\nbrief."}, *SAID[1:4]] + [
        {"role": "user", "content": "Once\nmore"}
    ]
    assert (sent["tools"], sent["max_tokens"]) == (TOOLS, 90)
    kept = alice.post("/playground/", {**form, "do": "turn-1"}).context["bench"]
    assert [one.role for one in kept.turns] == ["system", "assistant", "tool"] and kept.record == bench.record
    kept = alice.post("/playground/", {**form, "do": "no-extra"}).context["bench"]
    assert (kept.extra, len(kept.turns)) == ("", 4)
    kept = alice.post("/playground/", {**form, "do": "add-turn"}).context["bench"]
    assert kept.turns[-1].role == "user"


def test_it_names_the_prompt_again(world: World) -> None:
    words = {"role": "user", "content": "Question: Where? Order 7 Plan free"}
    body = {
        "messages": [words, {"role": "user", "content": "Please."}],
        "prompt": {"id": "support/answer", "variables": {"question": "Where?", "order": 7}},
    }
    id = recorded(world, body, prompt=json.dumps([{"slug": "support/answer", "number": 1}]))
    bench = page(world.cast.alice, id).context["bench"]
    assert (bench.slug, bench.set_ups[0].version, bench.message, bench.turns) == ("support/answer", "1", "Please.", ())
    assert bench.values == {"question": "Where?", "order": "7"}
    # Where it is gone, the words it came to are there.
    Prompt.objects.filter(pk=world.prompt.pk).update(deleted_at=now())
    response = page(world.cast.alice, id)
    bench = response.context["bench"]
    assert (bench.slug, [one.text for one in bench.turns]) == ("", ["Question: Where? Order 7 Plan free"])
    assert "support/answer is not yours to use" in response.content.decode()
    other = recorded(world, {**body, "prompt": {"id": "x"}}, prompt=json.dumps([{"slug": "no/such", "number": 1}]))
    response = page(world.cast.alice, other)
    assert response.status_code == 422 and "a shape that cannot be sent again" in response.content.decode()


def test_calls_of_other_routes_become_conversations(world: World) -> None:
    message = {
        **{"system": "Be kind.", "max_tokens": 50},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }
    bench = page(world.cast.alice, recorded(world, message, type="message")).context["bench"]
    assert [(one.role, one.text) for one in bench.turns] == [("system", "Be kind.")] and bench.message == "Hello"
    assert bench.set_ups[0].parameters["max_tokens"] == "50"
    response = {"instructions": "Be kind.", "input": "Hello", "max_output_tokens": 20}
    bench = page(world.cast.alice, recorded(world, response, type="response")).context["bench"]
    assert [(one.role, one.text) for one in bench.turns] == [("system", "Be kind.")] and bench.message == "Hello"
    assert bench.set_ups[0].parameters["max_tokens"] == "20"
    assert page(world.cast.alice, recorded(world, {"prompt": "Once"}, type="completion")).context["bench"].message == (
        "Once"
    )


def test_it_refuses_who_may_not_read_it_and_what_cannot_be_asked(world: World) -> None:
    cast, id = world.cast, recorded(world)
    assert page(cast.bob, id).status_code == 403 and page(cast.charlie, id).status_code == 404
    auditor = make.make_member(cast.team_a, role=Role.AUDITOR)
    assert page(auditor, id).status_code == 403, "an auditor reads, and asks nothing"
    assert not AuditEvent.objects.filter(action="content.read").exists()
    assert "Ask again" in client_of(cast.alice).get(f"/audit/{request_id(id)}/").content.decode()
    assert "Ask again" not in client_of(auditor).get(f"/audit/{request_id(id)}/").content.decode()

    vectors = recorded(world, {"input": "Hello"}, type="embedding")
    assert "Only calls that ask a model for words" in page(cast.alice, vectors).content.decode()
    searching = recorded(world, {"messages": SAID[:2], "tools": [{"type": "web_search_20250305", "name": "w"}]})
    assert "with tools that the provider runs" in page(cast.alice, searching).content.decode()
    assert page(cast.alice, uuid7()).status_code == 404


def test_what_is_typed_over_a_hidden_field_is_said(world: World) -> None:
    alice = client_of(world.cast.alice)
    form = {"for": "team-a", "a-model": "support-chat@production", "message": "Hello", "t-0-role": "tool"}
    for hidden, words in (
        ({"t-0-raw": "["}, "A message is not JSON"),
        ({"t-0-raw": "7"}, "A message is a JSON object"),
        ({"extra": '{"model": "other"}'}, "What else is sent is a JSON object"),
        ({"extra": "{"}, "What else is sent is not JSON"),
    ):
        response = alice.post("/playground/", {**form, **hidden, "record": "../x", "do": "run"})
        assert words in response.context["bench"].set_ups[0].error, hidden
