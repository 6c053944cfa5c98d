"""Responses that are kept: gone on from, looked at, listed and deleted, by who made them."""

import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.api import conversations, responses
from console.api.models import ForgottenResponse
from console.api.sql import chain
from console.audit.models import AuditEvent, Payload
from console.core.clock import now
from console.core.ids import uuid7
from console.teams.actors import SYSTEM
from console.teams.callers import caller_for_key
from console.teams.services.keys import rotate_key
from tests import make, sdks
from tests.upstream import chunk, completion, sse, usage

ASK = {"model": "support-chat", "input": "Where is order 7?"}
TRACK = {"type": "function", "name": "track", "parameters": {"type": "object", "properties": {}}}


def test_it_goes_on_from_a_response_as_soon_as_that_is_there(sdk, world):
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "track", "arguments": '{"n":7}'}}
    events = [chunk({"content": "I look."}), chunk({"tool_calls": [call]}), chunk({}, finish="tool_calls")]
    world.upstream.enqueue_stream(*(sse(e) for e in [*events, chunk(usage=usage(23, 9))]))
    world.upstream.enqueue(completion("It is late."))
    with sdk.responses.stream(**ASK, instructions="Be kind.", tools=[TRACK]) as stream:
        for event in stream:
            if event.type == "response.completed":
                first = event.response
                break
        result = {"type": "function_call_output", "call_id": "call_1", "output": "late"}
        second = sdk.responses.create(
            model="support-chat", previous_response_id=first.id, input=[result], tools=[TRACK]
        )
    assert second.output_text == "It is late." and second.previous_response_id == first.id and second.store is True
    third = sdk.responses.create(
        model="support-chat", previous_response_id=second.id, input="Thanks.", instructions="Be brief."
    )
    asked = {"id": "call_1", "type": "function", "function": {"name": "track", "arguments": '{"n":7}'}}
    said = [
        {"role": "user", "content": "Where is order 7?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": "call_1", "content": "late"},
    ]
    assert world.upstream.seen[1].body["messages"] == said, "instructions hold for one response"
    assert world.upstream.seen[2].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        *said,
        {"role": "assistant", "content": "It is late."},
        {"role": "user", "content": "Thanks."},
    ]
    kept = json.loads(Payload.objects.get(event_id=uuid.UUID(hex=third.id[5:]), kind="input").body)
    assert kept["input"] == "Thanks.", "the log has what was sent, and the way back"


def test_items_are_named_by_their_ids(sdk, world):
    """As clients do that know their answers are kept."""
    first = sdk.responses.create(**ASK)
    named = [{"role": "user", "content": "Where?"}, {"type": "item_reference", "id": first.output[0].id}]
    second = sdk.responses.create(**ASK | {"input": [*named, {"role": "user", "content": "And now?"}]})
    said = [("user", "Where?"), ("assistant", "Hello there."), ("user", "And now?")]
    assert [(m["role"], m["content"]) for m in world.upstream.seen[-1].body["messages"]] == said
    sdk.responses.create(**ASK, previous_response_id=second.id)
    sent = [(m["role"], m["content"]) for m in world.upstream.seen[-1].body["messages"]]
    assert sent == [*said, ("assistant", "Hello there."), ("user", ASK["input"])]
    sdk.responses.delete(first.id)
    for name in (first.output[0].id, second.output[0].id[:-2] + "07", "msg_elsewhere", ""):
        with pytest.raises(sdks.openai.NotFoundError) as missing:
            sdk.responses.create(**ASK | {"input": [*named[:1], {"type": "item_reference", "id": name}]})
        assert missing.value.param == "input[1].id"


def test_it_is_looked_at_listed_and_deleted(sdk, world):
    items = [{"role": "user", "content": f"Question {n}"} for n in range(3)]
    items.insert(1, {"role": "assistant", "content": "Answer"})
    made = sdk.responses.create(**ASK | {"input": items}, metadata={"ticket": "7"})
    seen = sdk.responses.retrieve(made.id)
    assert seen.model_dump() == made.model_dump() and seen.metadata == {"ticket": "7"}
    listed = list(sdk.responses.input_items.list(made.id, order="asc", limit=2))
    assert [item.content[0].text for item in listed] == ["Question 0", "Answer", "Question 1", "Question 2"]
    assert [item.role for item in listed][:2] == ["user", "assistant"] and len({item.id for item in listed}) == 4
    assert [item.id for item in sdk.responses.input_items.list(made.id)] == [item.id for item in listed][::-1]
    with pytest.raises(sdks.openai.BadRequestError):
        sdk.responses.input_items.list(made.id, after="msg_nothing")
    with pytest.raises(sdks.openai.BadRequestError):
        sdk.responses.cancel(made.id)
    after = sdk.responses.create(**ASK, previous_response_id=made.id)
    sdk.responses.delete(made.id)
    for gone in (
        lambda: sdk.responses.retrieve(made.id),
        lambda: sdk.responses.delete(made.id),
        lambda: sdk.responses.input_items.list(made.id),
        lambda: sdk.responses.create(**ASK, previous_response_id=made.id),
        lambda: sdk.responses.create(**ASK, previous_response_id=after.id),
    ):
        with pytest.raises(sdks.openai.NotFoundError):
            gone()
    assert sdk.responses.retrieve(after.id).output_text == "Hello there."
    reads = AuditEvent.objects.filter(action="response.read").order_by("id")
    assert {(e.surface, e.actor_id, e.team_id) for e in reads} == {("api", world.key.pk, world.team.pk)}
    assert AuditEvent.objects.filter(action="response.deleted", target=made.id).count() == 1
    refused = [line for line in world.calls() if line.status == "refused"]
    assert {line.http_status for line in refused} == {400, 404} and len(world.upstream.seen) == 2
    assert responses.prune() == 0 and ForgottenResponse.objects.count() == 1
    ForgottenResponse.objects.create(pk=uuid7(), forgotten_at=now())  # what it was has left the log since
    assert responses.prune() == 1 and ForgottenResponse.objects.get().pk.hex == made.id.removeprefix("resp_")


def test_it_is_its_makers_and_theirs_who_may_read_content(client, world):
    made = client.post("/v1/responses", json=ASK).json()["id"]
    hidden = client.post("/v1/responses", json={**ASK, "store": False}).json()
    chat = client.post(
        "/v1/chat/completions", json={"model": "support-chat", "messages": [{"role": "user", "content": "x"}]}
    )
    other = "resp_" + world.calls()[-1].pk.hex
    assert hidden["store"] is False and chat.status_code == 200
    _, colleague = make.make_key(world.team, "colleague")
    _, reader = make.make_key(world.team, "reader", scopes=["models:call", "audit:content"])
    _, stranger = make.make_key(make.make_team("Others"), "stranger", scopes=["models:call", "audit:content"])
    for key, name, status in (
        (world.key_text, made, 200),
        (reader, made, 200),
        (colleague, made, 404),
        (stranger, made, 404),
        (world.key_text, hidden["id"], 404),
        (world.key_text, other, 404),
        (world.key_text, "resp_nothing", 404),
        (world.key_text, made.removeprefix("resp_"), 404),
        (world.key_text, "resp_" + "-" * 300 + made.removeprefix("resp_"), 404),
        ("fk_live_nobody", made, 401),
    ):
        head = {"Authorization": f"Bearer {key}"}
        for answer in (
            client.get(f"/v1/responses/{name}", headers=head),
            client.get(f"/v1/responses/{name}/input_items", headers=head),
            *([client.delete(f"/v1/responses/{name}", headers=head)] if status != 200 else []),
        ):
            assert answer.status_code == status, (key, name, answer.text)
        if key == reader:  # to read is not to delete
            assert client.delete(f"/v1/responses/{name}", headers=head).status_code == 403
        if status == 404:
            answer = client.post("/v1/responses", json={**ASK, "previous_response_id": name}, headers=head)
            error = answer.json()["error"]
            assert answer.status_code == 404, answer.text
            assert error["param"] == ("previous_response_id" if key != stranger else error["param"])


def test_a_deleted_response_is_not_sent_again_for_its_idempotency_key(client, world):
    head = {"Idempotency-Key": "once"}
    made = client.post("/v1/responses", json=ASK, headers=head).json()["id"]
    assert client.post("/v1/responses", json=ASK, headers=head).json()["id"] == made
    assert client.delete(f"/v1/responses/{made}").status_code == 200
    again = client.post("/v1/responses", json=ASK, headers=head)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "idempotency_answer_gone")
    assert len(world.upstream.seen) == 1


def test_going_on_from_anothers_response_is_a_reading_of_it(client, world):
    made = client.post("/v1/responses", json=ASK).json()
    _, reader = make.make_key(world.team, "reader", scopes=["models:call", "audit:content"])
    named = {"input": [{"type": "item_reference", "id": made["output"][0]["id"]}] * 2}
    for key, fields in ((world.key_text, named), (reader, named), (reader, {"previous_response_id": made["id"]})):
        head = {"Authorization": f"Bearer {key}"}
        assert client.post("/v1/responses", json={**ASK, **fields}, headers=head).status_code == 200
    reads = AuditEvent.objects.filter(action="response.read", target=made["id"]).order_by("id")
    parts = [json.loads(line.detail)["part"] for line in reads]
    assert parts == ["item_reference", "previous_response_id"] and world.key.pk not in {line.actor_id for line in reads}


def test_what_is_not_kept_whole_is_said_to_be_so(client, world, settings):
    settings.AUDIT_CONTENT_BYTES = 400
    made = client.post("/v1/responses", json={**ASK, "input": "x" * 1000}).json()["id"]
    for answer in (
        client.get(f"/v1/responses/{made}"),
        client.post("/v1/responses", json={**ASK, "previous_response_id": made}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "response_not_whole")
        assert answer.headers["x-should-retry"] == "false"


def test_a_conversation_is_as_long_as_a_request_may_be(client, world, settings):
    first = client.post("/v1/responses", json={**ASK, "input": "x" * 1000}).json()["id"]
    second = client.post("/v1/responses", json={**ASK, "previous_response_id": first}).json()["id"]
    settings.GATEWAY_BODY_BYTES = 3000
    answer = client.post("/v1/responses", json={**ASK, "previous_response_id": second})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "previous_response_id")
    # An item is named in a few bytes, and what it says is sent each time.
    item = client.get(f"/v1/responses/{second}").json()["output"][0]["id"]
    named = [{"type": "item_reference", "id": item}] * 30
    answer = client.post("/v1/responses", json={**ASK, "input": named})
    assert (answer.status_code, answer.json()["error"]["param"][:6]) == (400, "input["), answer.text
    assert len(world.upstream.seen) == 2


def test_a_long_conversation_is_read_in_as_many_questions_as_a_short_one(client, world):
    """A name that a caller writes where another stands is at most read in vain."""
    named, asked = "", []
    bait = {"previous_response_id": "resp_" + "0" * 32}
    for turn in range(6):
        more = {"previous_response_id": named} if named else {}
        answer = client.post("/v1/responses", json={"metadata": bait if turn == 3 else {}, **ASK, **more})
        named = answer.json()["id"]
        with CaptureQueriesContext(connection) as queries:
            items = conversations.history(caller_for_key(world.key_text, "192.0.2.1"), named)
        assert len(items) == 2 * (turn + 1)
        asked.append(len(queries))
    assert asked == [5, 5, 5, 9, 9, 9], "the first is of the key"
    assert len(chain(uuid.UUID(hex=named[5:]), most=500, bytes=1)) == 1, "no more is read than may be told"


def test_whose_keys_made_the_turns_of_a_conversation_is_asked_once(client, world):
    """Each turn of the key before cost a question to the one that replaced it."""
    names, asked = [""], []
    for _ in range(4):
        more = {"previous_response_id": names[-1]} if names[-1] else {}
        names.append(client.post("/v1/responses", json={**ASK, **more}).json()["id"])
    _, text = rotate_key(actor=SYSTEM, key=world.key)
    for named in names[2], names[3]:
        caller = caller_for_key(text, "192.0.2.1")
        with CaptureQueriesContext(connection) as queries:
            conversations.history(caller, named)
        asked.append(len(queries))
    assert asked[0] == asked[1], asked


def test_it_goes_on_with_the_key_that_replaced_its_makers(client, world):
    made = client.post("/v1/responses", json=ASK).json()["id"]
    key = world.key
    for _ in range(2):
        key, text = rotate_key(actor=SYSTEM, key=key)
    head = {"Authorization": f"Bearer {text}"}
    again = client.post("/v1/responses", json={**ASK, "previous_response_id": made}, headers=head)
    assert again.status_code == 200, again.text
    assert client.get(f"/v1/responses/{made}").status_code == 401, "the old key has ended"


def test_nothing_is_no_response_to_go_on_from(client, world):
    answer = client.post("/v1/responses", json={**ASK, "previous_response_id": ""})
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "previous_response_id")


def test_a_prompt_that_stood_for_the_input_is_what_was_said(client, world):
    make.publish(make.make_prompt(world.team, "support/answer", "Speak for Larkfield."), label="staging")
    made = client.post("/v1/responses", json={"model": "support-chat", "prompt": {"id": "support/answer"}}).json()
    client.post("/v1/responses", json={**ASK, "previous_response_id": made["id"]})
    assert [m["content"] for m in world.upstream.seen[1].body["messages"]] == [
        "Speak for Larkfield.",
        "Hello there.",
        ASK["input"],
    ]


def test_routes_say_what_they_answer_to(client):
    for method, path, status in (
        ("POST", "/v1/responses/resp_1", 405),
        ("GET", "/v1/responses/input_tokens", 405),
        ("GET", "/v1/responses/compact", 404),
        ("GET", "/v1/responses/resp_1/cancel", 405),
        ("POST", "/v1/responses/resp_1/input_items", 405),
        ("GET", "/v1/responses/resp_1/elsewhere", 404),
    ):
        answer = client.request(method, path)
        assert answer.status_code == status and answer.json()["error"]["code"], path
