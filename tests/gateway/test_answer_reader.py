"""What an answer says to rooms that show it, however oddly a provider puts it."""

import json
from typing import Any

import pytest

from console.gateway.answer_reader import AnswerReader


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([{"index": 0, "function": {"name": "find", "arguments": "{}"}}], "find({})"),
        ([{"function": {"name": "a"}}, {"function": {"name": "b", "arguments": "1"}}], "a()\nb(1)"),
        ([{"index": [], "function": {"name": "a", "arguments": {"no": "text"}}}], "a()"),
        ([None, 7, {"function": None}, {"function": "find"}], ""),
        ("find", ""),
        (None, ""),
    ],
)
def test_it_reads_calls_of_any_shape(calls: Any, said: str) -> None:
    reader = AnswerReader()
    message = {"content": "Wait.", "tool_calls": calls}
    assert reader.read(json.dumps({"choices": [{"message": message}]}).encode()) == "Wait."
    assert reader.calls == said
