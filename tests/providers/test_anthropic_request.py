"""Every part of a chat completion request that Anthropic has a word for is said in that word; the rest is refused."""

import base64
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.errors import BadInput
from console.providers.anthropic.request import dropped_fields, messages_request
from tests.claude import undocumented

HELLO = [{"role": "user", "content": "Hello?"}]
TOOL = {"type": "function", "function": {"name": "track", "description": "Find it.", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
PDF = base64.b64encode(b"%PDF-1.7").decode()


def asked(messages=HELLO, model="claude-sonnet-5", **fields):
    body = {"model": model, "messages": messages, "max_tokens": 4000, **fields}
    request = messages_request(body)
    assert undocumented(request) == [], "not what Anthropic documents"
    return request


def text(words):
    return {"type": "text", "text": words}


def user(*parts):
    return [{"role": "user", "content": list(parts)}]


def test_a_plain_request():
    request = {
        "model": "claude-sonnet-5",
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": [text("Hello?")]}],
    }
    assert asked() == request
    assert asked(stream=True, stream_options={"include_usage": True}) == {**request, "stream": True}
    assert asked(max_tokens=None, max_completion_tokens=50)["max_tokens"] == 50


SAID = [
    ({"stop": "END"}, {"stop_sequences": ["END"]}),
    ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
    ({"temperature": 0.3, "top_p": 0.9, "top_k": 5}, {"temperature": 0.3, "top_p": 0.9, "top_k": 5}),
    ({"temperature": 1, "top_p": 1.0}, {}),
    ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
    ({"user": "ada@example.com"}, {"metadata": {"user_id": hashlib.sha256(b"ada@example.com").hexdigest()}}),
    ({"user": "+49 30 123456"}, {"metadata": {"user_id": hashlib.sha256(b"+49 30 123456").hexdigest()}}),
    ({"user": "u" * 257}, {"metadata": {"user_id": hashlib.sha256(b"u" * 257).hexdigest()}}),
    ({"user": "u-1", "safety_identifier": "s-1"}, {"metadata": {"user_id": "s-1"}}),
    ({"n": 1, "logprobs": False, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}}, {}),
    ({"modalities": ["text"], "verbosity": "medium", "min_p": 0, "repeat_penalty": 1}, {}),
    ({"seed": 7, "prediction": {"type": "content", "content": "x"}, "prompt_cache_key": "k", "store": True}, {}),
    ({"response_format": {"type": "text"}}, {}),
    ({"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral"}}),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "o", "strict": True, "schema": SCHEMA}}},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ),
    ({"tool_choice": "auto", "parallel_tool_calls": False}, {}),
    ({"tools": [], "tool_choice": "none"}, {}),
]


@pytest.mark.parametrize(("fields", "said"), SAID, ids=[",".join(f) for f, _ in SAID])
def test_it_says_a_field_in_anthropics_word(fields, said):
    assert asked(**fields) == {**asked(), **said}


def test_tools():
    tools = [
        TOOL,
        {"type": "function", "function": {"name": "now", "strict": True}, "cache_control": {"type": "ephemeral"}},
    ]
    assert asked(tools=tools)["tools"] == [
        {"name": "track", "description": "Find it.", "input_schema": {"type": "object"}},
        {
            "name": "now",
            "input_schema": {"type": "object", "properties": {}},
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
    ]
    one = {"type": "function", "function": {"name": "track"}}
    for choice, parallel, said in [
        (None, None, None),
        ("auto", True, None),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        (one, None, {"type": "tool", "name": "track"}),
        (one, False, {"type": "tool", "name": "track", "disable_parallel_tool_use": True}),
    ]:
        assert asked(tools=tools, tool_choice=choice, parallel_tool_calls=parallel).get("tool_choice") == said


HELD = [
    ({"type": "object"}, {"type": "object"}),  # may have anything: for the provider to refuse
    (
        {
            "type": "object",
            "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9, "description": "How many"}},
        },
        {
            "type": "object",
            "properties": {"n": {"type": "integer", "description": "How many (minimum: 0, maximum: 9)"}},
            "additionalProperties": False,
        },
    ),
    (
        {
            "$defs": {"A": {"type": "object", "properties": {"minimum": {"type": "string", "minLength": 1}}}},
            "anyOf": [{"$ref": "#/$defs/A"}, {"type": "array", "items": {"type": "number", "multipleOf": 2}}],
        },
        {
            "$defs": {
                "A": {
                    "type": "object",
                    "properties": {"minimum": {"type": "string", "description": "minLength: 1"}},
                    "additionalProperties": False,
                }
            },
            "anyOf": [
                {"$ref": "#/$defs/A"},
                {"type": "array", "items": {"type": "number", "description": "multipleOf: 2"}},
            ],
        },
    ),
    (
        {"oneOf": [{"type": "null"}], "discriminator": {"propertyName": "kind"}},
        {"anyOf": [{"type": "null"}]},
    ),
    (
        {"type": "array", "minItems": 1, "uniqueItems": True},
        {"type": "array", "minItems": 1, "description": "uniqueItems: true"},
    ),
    ({"type": "array", "minItems": 2}, {"type": "array", "description": "minItems: 2"}),
    ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    ({"type": "string", "format": "binary"}, {"type": "string", "description": 'format: "binary"'}),
    ({"type": "string", "pattern": "^a+$"}, {"type": "string", "pattern": "^a+$"}),
    ({"type": "string", "pattern": "(?!a)"}, {"type": "string", "description": 'pattern: "(?!a)"'}),
    (
        {"type": "object", "additionalProperties": {"maxLength": 3}},
        {"type": "object", "additionalProperties": {"description": "maxLength: 3"}},
    ),
]


def test_a_schema_says_what_a_model_can_be_held_to_and_tells_the_rest():
    for schema, held in HELD:
        wanted = {"type": "json_schema", "json_schema": {"name": "o", "schema": schema}}
        function = {"name": "f", "strict": True, "parameters": schema}
        tools = [{"type": "function", "function": function}]
        before = json.dumps(schema)
        request = asked(response_format=wanted, tools=tools)
        assert request["output_config"]["format"]["schema"] == held
        assert request["tools"][0]["input_schema"] == held and json.dumps(schema) == before
        loose = asked(tools=[{"type": "function", "function": {**function, "strict": False}}])
        assert loose["tools"][0]["input_schema"] == schema, "nothing holds it to that one"


def test_as_many_tools_are_strict_as_may_be():
    """Libraries for OpenAI make all of theirs strict, and a request with more than these is refused."""

    def strict(*schemas):
        tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": one}} for one in schemas]
        lost = "tools[].function.strict" in dropped_fields({"messages": HELLO, "tools": tools})
        said = [tool.get("strict", False) for tool in asked(tools=tools)["tools"]]
        assert lost == (not all(said))
        return said

    maybe = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    listed = {"type": ["integer", "null"]}

    def of(count, part, required=()):
        properties = {f"p{at}": part for at in range(count)}
        return {**SCHEMA, "properties": properties, "required": list(required or properties)}

    assert strict(*[SCHEMA] * 21) == [True] * 20 + [False]
    assert strict(of(16, maybe), of(1, listed), SCHEMA) == [True, False, True]
    assert strict(of(25, {"type": "integer"}, ["p0"]), of(2, {"type": "integer"}, ["p0"])) == [True, False]
    assert strict(of(26, {"type": "integer"}, ["p0"])) == [False]

    class Unsearched(list):
        def __contains__(self, name):
            raise AssertionError(f"all is looked through for {name}: with ten thousand properties, for a minute")

    assert strict({**of(25, {}), "required": Unsearched([["p0"], {}, None, "p0"])}) == [True]


def test_system_texts_are_collected_and_neighbours_merged():
    request = asked(
        [
            {"role": "system", "content": "Be kind."},
            {"role": "developer", "content": [{**text("Be brief."), "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": "One.", "name": "ann"},
            {"role": "user", "content": "Two."},
            {"role": "assistant", "content": ""},
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "system", "content": "Still be kind."},
            {"role": "user", "content": [text("Three."), text("  ")]},
        ]
    )
    cached = {**text("Be brief."), "cache_control": {"type": "ephemeral"}}
    assert request["system"] == [text("Be kind."), cached, text("Still be kind.")]
    assert request["messages"] == [
        {"role": "user", "content": [text("One."), text("Two.")]},
        {"role": "assistant", "content": [text("No.")]},
        {"role": "user", "content": [text("Three.")]},
    ]


def test_pictures_and_files():
    def block(part):
        return asked(user(part))["messages"][0]["content"][0]

    def picture(url):
        return block({"type": "image_url", "image_url": {"url": url, "detail": "low"}})

    def file(url, **more):
        return block({"type": "file", "file": {"file_data": url, **more}})

    assert picture("https://example.com/a.png")["source"] == {"type": "url", "url": "https://example.com/a.png"}
    assert picture("data:image/jpg;base64,AAAA")["source"] == {
        "type": "base64",
        "media_type": "image/jpeg",
        "data": "AAAA",
    }
    assert file(f"data:application/pdf;base64,{PDF}", filename="a.pdf") == {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        "title": "a.pdf",
    }
    plain = base64.b64encode("Grüße".encode()).decode()
    assert file(f"data:text/plain;charset=utf-8;base64,{plain}")["source"]["data"] == "Grüße"


def call(id, arguments, name="track"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(id, content):
    return {"role": "tool", "tool_call_id": id, "content": content}


def test_the_results_of_a_turns_calls_come_back_together():
    request = asked(
        [
            *HELLO,
            {"role": "assistant", "content": "I look.", "tool_calls": [call("call_1", '{"n": 1}'), call("fn.a:0", "")]},
            result("call_1", "late"),
            result("fn.a:0", [text("lost")]),
            {"role": "user", "content": "And?"},
        ],
        tools=[TOOL],
    )
    assert request["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                text("I look."),
                {"type": "tool_use", "id": "call_1", "name": "track", "input": {"n": 1}},
                {"type": "tool_use", "id": "fn_a_0", "name": "track", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "late"},
                {"type": "tool_result", "tool_use_id": "fn_a_0", "content": [text("lost")]},
                text("And?"),
            ],
        },
    ]


def test_thoughts_return_to_where_they_were():
    def entry(index, **more):
        return {"format": "anthropic-claude-v1", "index": index, **more}

    details = [
        entry(2, type="reasoning.text", text="Now the other.", signature="s2"),
        entry(0, type="reasoning.text", text="", signature="s0"),
        entry(4, type="reasoning.encrypted", data="enc"),
        entry(1, type="reasoning.text", text="not signed", signature=""),
        {"type": "reasoning.text", "text": "another provider's", "signature": "x", "format": "unknown"},
    ]
    message = {
        "role": "assistant",
        "content": "I look.",
        "reasoning_content": "for reading only",
        "reasoning_details": details,
        "tool_calls": [call("a", "{}")],
    }
    assert asked([*HELLO, message, result("a", "x")], tools=[TOOL])["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "", "signature": "s0"},
        text("I look."),
        {"type": "thinking", "thinking": "Now the other.", "signature": "s2"},
        {"type": "tool_use", "id": "a", "name": "track", "input": {}},
        {"type": "redacted_thinking", "data": "enc"},
    ]


@pytest.mark.parametrize(
    ("model", "effort", "max_tokens", "said"),
    [
        ("claude-sonnet-5", "minimal", 900, ({"type": "adaptive", "display": "summarized"}, {"effort": "low"})),
        ("claude-opus-4-6", "xhigh", 900, ({"type": "adaptive", "display": "summarized"}, {"effort": "xhigh"})),
        ("claude-mythos-preview", "high", 900, ({"type": "adaptive", "display": "summarized"}, {"effort": "high"})),
        ("claude-fable-5-2", "none", 900, ({"type": "disabled"}, None)),
        ("claude-haiku-4-5-20251001", "minimal", 2000, ({"type": "enabled", "budget_tokens": 1024}, None)),
        ("claude-haiku-4-5", "medium", 8000, ({"type": "enabled", "budget_tokens": 4000}, None)),
        ("claude-sonnet-4-20250514", "high", 8000, ({"type": "enabled", "budget_tokens": 6400}, None)),
        ("claude-3-7-sonnet-20250219", "max", 64_000, ({"type": "enabled", "budget_tokens": 32_000}, None)),
        ("claude-haiku-4-5", "none", 900, (None, None)),
        ("claude-haiku-4-5", None, 900, (None, None)),
    ],
)
def test_reasoning_effort(model, effort, max_tokens, said):
    request = asked(model=model, reasoning_effort=effort, max_tokens=max_tokens)
    assert (request.get("thinking"), request.get("output_config")) == said


def image(url):
    return user({"type": "image_url", "image_url": {"url": url}})


def answered(**message):
    return [*HELLO, {"role": "assistant", **message}]


REFUSED = [
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"logit_bias": {"1": 2}}, "logit_bias"),
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"frequency_penalty": -1}, "frequency_penalty"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": {"voice": "x"}}, "audio"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"verbosity": "low"}, "verbosity"),
    ({"temperature": 1.5}, "temperature"),
    ({"top_p": -0.1}, "top_p"),
    ({"reasoning_effort": "extreme"}, "reasoning_effort"),
    ({"reasoning_effort": 3}, "reasoning_effort"),
    ({"reasoning_effort": "low", "model": "claude-haiku-4-5", "max_tokens": 1024}, "max_completion_tokens"),
    ({"response_format": {"type": "json_object"}, "reasoning_effort": "low"}, "response_format.type"),
    ({"response_format": {"type": "yaml"}}, "response_format.type"),
    ({"tools": [{"type": "function", "function": {"name": "facet_json_answer"}}]}, "tools[0]"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format.json_schema.schema"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
    ({"tools": [TOOL, "track"]}, "tools[1]"),
    ({"tools": [TOOL], "tool_choice": "sometimes"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
    ({"messages": [{"role": "system", "content": "Be kind."}]}, "messages"),
    ({"messages": [{"role": "user", "content": " \n"}]}, "messages[0].content"),
    ({"messages": user({"type": "input_audio", "input_audio": {}})}, "messages[0].content[0].type"),
    ({"messages": user(text("x"), {"type": "text"})}, "messages[0].content[1].text"),
    ({"messages": image("data:image/bmp;base64,AAAA")}, "messages[0].content[0].image_url.url"),
    ({"messages": image("data:image/png,AAAA")}, "messages[0].content[0].image_url.url"),
    ({"messages": image(None)}, "messages[0].content[0].image_url.url"),
    ({"messages": user({"type": "file", "file": {"file_id": "file-1"}})}, "messages[0].content[0].file.file_data"),
    (
        {"messages": user({"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}})},
        "messages[0].content[0].file.file_data",
    ),
    (
        {"messages": user({"type": "file", "file": {"file_data": "data:text/csv;base64,YQ=="}})},
        "messages[0].content[0].file.file_data",
    ),
    ({"messages": answered(tool_calls=[call("a", "{")])}, "messages[1].tool_calls[0].function.arguments"),
    ({"messages": answered(tool_calls=[call("a", "[]")])}, "messages[1].tool_calls[0].function.arguments"),
    ({"messages": answered(tool_calls=[call(None, "{}")])}, "messages[1].tool_calls[0].id"),
    ({"messages": answered(tool_calls=[{"id": "a"}])}, "messages[1].tool_calls[0].function"),
    ({"messages": answered(tool_calls={"id": "a"})}, "messages[1].tool_calls"),
    ({"messages": answered(content="x", reasoning_details="x")}, "messages[1].reasoning_details"),
    ({"messages": answered(refusal=7)}, "messages[1].refusal"),
    ({"messages": [result(None, "x")]}, "messages[0].tool_call_id"),
]


@pytest.mark.parametrize(("fields", "param"), REFUSED, ids=[p for _, p in REFUSED])
def test_it_refuses_by_name_what_anthropic_cannot_do(fields, param):
    with pytest.raises(BadInput) as caught:
        asked(**fields)
    assert caught.value.param == param and caught.value.message.endswith(".")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
parts = values.filter(lambda v: isinstance(v, dict)) | st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "file", "refusal", "input_audio"])},
    optional={"text": values, "image_url": values, "file": values, "refusal": values},
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
    optional={
        "content": st.none() | st.text(max_size=5) | st.lists(parts, max_size=2),
        "tool_calls": values | st.lists(st.fixed_dictionaries({}, optional={"id": values, "function": values})),
        "tool_call_id": values,
        "reasoning_details": values | st.lists(st.fixed_dictionaries({"format": st.just("anthropic-claude-v1")})),
        "refusal": values,
    },
)


@given(
    st.lists(messages, min_size=1, max_size=4),
    st.fixed_dictionaries({}, optional={"tool_choice": values, "reasoning_effort": values, "tools": st.lists(values)}),
)
@settings(max_examples=200, deadline=None)
def test_any_shape_is_said_or_refused(messages, fields):
    body = {"model": "claude-sonnet-5", "messages": messages, "max_tokens": 4000, **fields}
    try:
        request = messages_request(body)
    except BadInput as refusal:
        assert refusal.param
    else:
        assert all(turn["content"] for turn in request["messages"])
