"""The one function that decides about a call: agent, caller, team and tool, and deny is stronger than all."""

import pytest

from agents_app.grants.constraints import outside
from agents_app.grants.decision import decide
from agents_app.grants.parsing import check_grants, grants_of
from agents_app.grants.schemas import WrongArguments, check_arguments, check_schema, strict, without_patterns
from agents_app.models import Tool
from console.core import bounded_schemas
from console.core.errors import BadInput

PROPERTIES = {"path": {"type": "string"}, "count": {"type": "integer"}}


def tool(**fields):
    fields = {"effect": "read", "parameters": {"type": "object", "properties": PROPERTIES}, **fields}
    return Tool(slug="read_file", kind="http", **fields)


def verdict(grant=None, arguments=None, *, used=None, problem="", calls=0):
    """Return (effect, rule) for a call of read_file under a grant of it."""
    grants = grants_of(check_grants([] if grant is False else [{"tool": "read_file", **(grant or {})}]))
    decision = decide(
        name="read_file",
        grant=grants.get("read_file"),
        tool=used or tool(),
        arguments={} if arguments is None else arguments,
        problem=problem,
        calls_before=calls,
    )
    assert decision.reason
    return decision.effect, decision.rule


RULES = [
    {"id": "etc", "effect": "deny", "when": {"path": {"prefix": "/etc"}}},
    {"id": "many", "effect": "ask", "when": {"count": {"min": 10}}},
    {"id": "home", "effect": "allow", "when": {"path": {"prefix": "/home"}}},
]


@pytest.mark.parametrize(
    ("expected", "case"),
    [
        (("allow", "default"), {}),
        (("ask", "default"), {"used": tool(effect="write")}),
        (("allow", "mode"), {"used": tool(effect="write"), "grant": {"mode": "allow"}}),
        (("deny", "mode"), {"grant": {"mode": "deny"}}),
        (("deny", "grant"), {"grant": False}),
        (("deny", "caller"), {"problem": "Bob cannot sign in any more."}),
        (("deny", "tool"), {"used": tool(is_enabled=False)}),
        (("deny", "tool"), {"used": tool(suspended="The server says something else now.")}),
        (("deny", "digest"), {"used": tool(digest="b" * 64), "grant": {"digest": "a" * 64}}),
        (("allow", "default"), {"used": tool(digest="a" * 64), "grant": {"digest": "a" * 64}}),
        (("deny", "schema"), {"arguments": {"count": "3"}}),
        (("deny", "schema"), {"arguments": {"more": 1}}),
        (("deny", "schema"), {"arguments": ["path"]}),
        (("deny", "schema"), {"arguments": {"path": "x" * 70_000}}),
        (
            ("deny", "arguments.path"),
            {"arguments": {"path": "/srv"}, "grant": {"arguments": {"path": {"equals": "/"}}}},
        ),
        (("deny", "arguments.path"), {"arguments": {}, "grant": {"arguments": {"path": {"prefix": "/"}}}}),
        (("deny", "most_calls"), {"grant": {"most_calls": 2}, "calls": 2}),
        (("allow", "default"), {"grant": {"most_calls": 2}, "calls": 1}),
        (("deny", "rules.etc"), {"arguments": {"path": "/etc/passwd", "count": 20}, "grant": {"rules": RULES}}),
        (("ask", "rules.many"), {"arguments": {"path": "/home/x", "count": 20}, "grant": {"rules": RULES}}),
        (("allow", "rules.home"), {"arguments": {"path": "/home/x"}, "grant": {"rules": RULES, "mode": "ask"}}),
        (("ask", "mode"), {"arguments": {"path": "/srv"}, "grant": {"rules": RULES, "mode": "ask"}}),
    ],
)
def test_it_lets_the_strictest_of_agent_caller_team_and_tool_decide(expected, case):
    assert verdict(**case) == expected


@pytest.mark.parametrize(
    ("constraint", "within", "without"),
    [
        ({"equals": 1}, [1, 1.0], [True, "1", 2, None]),
        ({"equals": True}, [True], [1, "true", False]),
        ({"one_of": ["a", 2]}, ["a", 2], ["A", "2", None]),
        ({"min": 1, "max": 5}, [1, 5, 2.5], [0, 6, True, "3", None]),
        ({"max_length": 2}, ["ab", [1, 2]], ["abc", 12, None]),
        ({"prefix": "/srv/"}, ["/srv/a"], ["/srv", "x/srv/", None, 3]),
        (
            {"host": ["api.example.com", "*.example.org"]},
            ["https://api.example.com/x", "http://API.example.com:8080", "https://a.b.example.org/", "http://x.example.org."],
            [
                "https://example.org", "https://api.example.com@evil.com", "https://evil.com#api.example.com",
                "https://evil.com\\@api.example.com", "ftp://api.example.com", "//api.example.com", "api.example.com",
                "https://api.example.com.evil.com", "https://evilexample.org", "http://[::1",
                "https://api.example.com\t.evil.com", 7,
            ],
        ),
    ],
)  # fmt: skip
def test_it_reads_each_constraint_strictly(constraint, within, without):
    for value in within:
        assert outside({"it": constraint}, {"it": value}) is None, value
    for value in without:
        assert outside({"it": constraint}, {"it": value}), value
    assert outside({"it": constraint}, {}), "what is left out is outside"


@pytest.mark.parametrize(
    ("grants", "place"),
    [
        ({}, "grants"),
        ([1], "grants.0"),
        ([{"mode": "allow"}], "grants.0.tool"),
        ([{"tool": "rm -rf"}], "grants.0.tool"),
        ([{"tool": "a"}, {"tool": "a"}], "grants.1.tool"),
        ([{"tool": "a", "moed": "deny"}], "grants.0"),
        ([{"tool": "a", "mode": "maybe"}], "grants.0.mode"),
        ([{"tool": "a", "most_calls": True}], "grants.0.most_calls"),
        ([{"tool": "a", "editable": "x"}], "grants.0.editable"),
        ([{"tool": "a", "digest": "abc"}], "grants.0.digest"),
        ([{"tool": "a", "arguments": {"x": {}}}], "grants.0.arguments.x"),
        ([{"tool": "a", "arguments": {"x": {"pattern": ".*"}}}], "grants.0.arguments.x"),
        ([{"tool": "a", "arguments": {"x": {"min": "1"}}}], "grants.0.arguments.x.min"),
        ([{"tool": "a", "arguments": {"x": {"one_of": []}}}], "grants.0.arguments.x.one_of"),
        ([{"tool": "a", "rules": [{"id": "r", "effect": "deny"}]}], "grants.0.rules.0"),
        ([{"tool": "a", "rules": [{"id": "r", "effect": "no", "when": {"x": {"min": 1}}}]}], "grants.0.rules.0.effect"),
        ([{"tool": "a", "rules": [{"id": "r", "effect": "deny", "when": {}}]}], "grants.0.rules.0.when"),
        ([{"tool": f"t{n}"} for n in range(65)], "grants"),
    ],
)
def test_it_refuses_grants_that_say_nothing_sure_and_names_the_place(grants, place):
    with pytest.raises(BadInput) as refused:
        check_grants(grants)
    assert refused.value.param == place


def test_it_refuses_schemas_that_cost_too_much_or_reach_outside():
    deep: dict = {"type": "object"}
    for _ in range(20):
        deep = {"type": "object", "properties": {"a": deep}}
    for schema in (
        [],
        {"type": "array"},
        {"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}},
        {"type": "object", "patternProperties": {"a": {}}},
        {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/schema"}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object", "properties": {"a": {"type": "text"}}},
        {"type": "object", "description": "x" * 30_000},
        deep,
    ):
        with pytest.raises(BadInput):
            check_schema(schema, param="input_schema")
    named = {"type": "object", "properties": {"pattern": {"type": "string"}, "enum": {"enum": ["$ref"]}}}
    assert check_schema(named, param="input_schema") == named
    foreign = {"type": "object", "$schema": "x", "properties": {"pattern": {"type": "string", "pattern": "(a+)+$"}}}
    assert without_patterns(foreign) == {"type": "object", "properties": {"pattern": {"type": "string"}}}


def test_it_refuses_fields_a_schema_does_not_name():
    inner = {"type": "object", "properties": {"b": {"type": "integer"}}}
    free = {"type": "object"}
    schema = {"type": "object", "properties": {"a": inner, "list": {"type": "array", "items": inner}, "free": free}}
    check_arguments(schema, {"a": {"b": 1}, "list": [{"b": 2}], "free": {"anything": 1}})
    for value in ({"c": 1}, {"a": {"c": 1}}, {"list": [{"c": 1}]}, {"a": {"b": True}}, {"a": {"b": "1"}}):
        with pytest.raises(WrongArguments):
            check_arguments(schema, value)
    combined = {"type": "object", "properties": {"a": free}, "anyOf": [{"required": ["a"]}, {"properties": {"z": {}}}]}
    check_arguments(combined, {"a": {}, "z": 1})
    with pytest.raises(WrongArguments):
        check_arguments(combined, {"a": {}, "y": 1})
    assert strict({"type": "object"})["additionalProperties"] is False
    recursive = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/node"}},
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
    }
    check_arguments(recursive, {"tree": {"next": {"next": {}}}})
    with pytest.raises(WrongArguments):
        check_arguments(recursive, {"tree": {"next": {"prev": {}}}})
    endless = {"type": "object", "$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    with pytest.raises(WrongArguments):
        check_arguments(endless, {})


def test_it_holds_values_to_their_schema_in_bounded_time(monkeypatch):
    """With three ways at every level, twelve levels are half a million; each item compared with each is 25 million."""
    monkeypatch.setattr(bounded_schemas, "MOST_STEPS", 20_000)
    node = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/node"}}] * 3}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}}
    deep: object = 1
    for _ in range(12):
        deep = [deep]
    with pytest.raises(WrongArguments, match="steps"):
        check_arguments(check_schema(schema, param="input_schema"), {"a": deep})
    unique = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    check_arguments(unique, {"a": [{"n": at} for at in range(5_000)]})
    with pytest.raises(WrongArguments, match="are the same"):
        check_arguments(unique, {"a": [{"n": 1}, {"n": 1.0}]})
