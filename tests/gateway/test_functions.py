"""The older `functions`: mapped to tools on the way out, and back on the way in."""

import json

from tests.upstream import chunk, completion, sse

FUNCTIONS = [{"name": "find_order", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}}]
CALL = {"id": "call_9", "type": "function", "function": {"name": "find_order", "arguments": '{"id":"10423"}'}}


def test_it_maps_functions_to_tools_and_back(ask, world):
    answer = completion()
    answer["choices"][0] = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
        "finish_reason": "tool_calls",
    }
    world.upstream.enqueue(answer)
    choice = ask(functions=FUNCTIONS, function_call={"name": "find_order"}).json()["choices"][0]
    sent = world.upstream.seen[0].body
    assert sent["tools"] == [{"type": "function", "function": FUNCTIONS[0]}] and "functions" not in sent
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "find_order"}}
    assert choice["message"]["function_call"] == CALL["function"] and "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_it_maps_a_conversation_with_results(client, world):
    messages = [
        {"role": "user", "content": "Where is 10423?"},
        {"role": "assistant", "content": None, "function_call": CALL["function"]},
        {"role": "function", "name": "find_order", "content": "shipped"},
    ]
    client.post("/v1/chat/completions", json={"model": "support-chat", "messages": messages, "functions": FUNCTIONS})
    _, call, result = world.upstream.seen[0].body["messages"]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert result["role"] == "tool" and result["content"] == "shipped"


def test_it_maps_a_stream_back(ask, world):
    first = {"role": "assistant", "tool_calls": [{"index": 0, **CALL}]}
    world.upstream.enqueue_stream(sse(chunk(first), chunk({}, finish="tool_calls")))
    frames = [
        json.loads(f[6:]) for f in ask(functions=FUNCTIONS, stream=True).text.split("\n\n") if f.startswith("data: {")
    ]
    assert frames[0]["choices"][0]["delta"]["function_call"] == CALL["function"]
    assert frames[1]["choices"][0]["finish_reason"] == "function_call"


def test_it_refuses_functions_a_model_cannot_call(ask, world):
    from console.audit import actions
    from console.audit.services import record
    from console.teams.callers import SYSTEM

    world.model.capabilities = ["chat"]
    world.model.save(update_fields=["capabilities"])
    record(actions.MODEL_CHANGED, actor=SYSTEM, target=world.model)
    response = ask(functions=FUNCTIONS)
    assert response.status_code == 400 and response.json()["error"]["param"] == "tools"
