"""What a record's page shows of what was said."""

from usage_app.queries.audit.content import turns_of


def test_it_shows_what_a_response_called_and_what_came_of_it() -> None:
    call = {"type": "function_call", "call_id": "a", "namespace": "crm", "name": "track", "arguments": '{"n":7}'}
    custom = {"type": "custom_tool_call", "call_id": "b", "name": "patch", "input": "+ a"}
    results = [{"type": f"{one['type']}_output", "call_id": one["call_id"], "output": "done"} for one in (call, custom)]
    asked = turns_of({"input": [{"role": "user", "content": "Where is it?"}, call, results[0]]})
    assert [(turn.role, turn.text) for turn in asked] == [
        ("user", "Where is it?"),
        ("tool calls", 'crm__track({"n":7})'),
        ("tool", "done"),
    ]
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "So."}]}
    answered = turns_of({"output": [{"type": "reasoning", "summary": []}, said, custom]})
    assert [(turn.role, turn.text) for turn in answered] == [("assistant", "So."), ("tool calls", "patch(+ a)")]
    assert [turn.text for turn in turns_of({"input": [results[1]]})] == ["done"]
