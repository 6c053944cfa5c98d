"""Two forms, and everything else named with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts_app.errors import BadText
from prompts_app.text.content import read_content
from prompts_app.text.parse import Include, Literal, Variable, includes_in, parse, variables_in
from prompts_app.text.refs import Ref, check_slug, parse_ref


def test_it_reads_variables_partials_and_literal_braces() -> None:
    nodes = parse("Dear {{ name }},\n{{> house/style}}{{>a@7}} {{> b/c:canary }} \\{{ not }} one {x}")
    assert nodes == (
        Literal("Dear "),
        Variable("name", 1, 6),
        Literal(",\n"),
        Include("house/style", None, None, 2, 1),
        Include("a", 7, None, 2, 18),
        Literal(" "),
        Include("b/c", None, "canary", 2, 27),
        Literal(" {{ not }} one {x}"),
    )
    assert variables_in(parse("{{b}} {{a}} {{b}}")) == ["b", "a"]
    assert includes_in(parse("{{> x}}{{> x}}{{> x@2}}")) == [Ref("x"), Ref("x", 2)]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("ok\n{{user.name}}", 2, "{{user.name}} is neither"),
        ("{{ name|upper }}", 1, "neither a variable nor"),
        ("{{ 1 + 1 }}", 1, "neither"),
        ("{{}}", 1, "neither"),
        ("{{{name}}}", 1, "{{{name}} is neither"),
        ("{{#if x}}yes{{/if}}", 1, "neither"),
        ("\n\n{{> Loud/Name}}", 3, "does not name a partial"),
        ("{{> a@0}}", 1, "does not name a partial"),
        ("{{> a@1:b}}", 1, "does not name a partial"),
        ("{{> ../../etc/passwd}}", 1, "does not name a partial"),
        ("{{name", 1, "not closed"),
        ("{{na\nme}}", 1, "not closed"),
    ],
)
def test_it_refuses_anything_else_by_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadText, match="Line") as caught:
        parse(text)
    assert caught.value.line == line
    assert says in str(caught.value)


@given(st.text(alphabet=st.sampled_from("{}\\> ab@:/1\n_%$#"), max_size=60))
def test_it_reads_or_names_any_text(text: str) -> None:
    try:
        nodes = parse(text)
    except BadText as error:
        assert 1 <= error.line <= text.count("\n") + 1
        return
    if "{{" not in text:
        assert nodes == ((Literal(text),) if text else ())


@given(st.text(max_size=200))
def test_escaped_braces_come_out_as_they_were(text: str) -> None:
    """Any text survives when its opening braces are written literally."""
    text = text.replace("\\", "")
    written = text.replace("{{", "\\{{")
    assert "".join(node.text for node in parse(written) if isinstance(node, Literal)) == text


def test_it_tells_refs_from_other_words() -> None:
    assert parse_ref("support/reply@7") == Ref("support/reply", 7)
    assert parse_ref("support/reply:canary") == Ref("support/reply", label="canary")
    assert str(Ref("a", 7)) == "a@7"
    for wrong in ("", "/a", "a/", "a//b", "A", "a@", "a:", "a@-1", "a b", "-/a", "a/-", "a\x00", "a" * 201):
        assert parse_ref(wrong) is None
    for wrong in ("new/x", "rules", "git/a", "a/-/b", "UP", "x" * 300):
        with pytest.raises(Exception, match="name"):
            check_slug(wrong)


def test_it_refuses_content_that_is_no_text() -> None:
    for content, kind, says in (
        ([{"role": "", "text": "a\x00b"}], "text", "not text"),
        ([{"role": "", "text": "a\ud800"}], "text", "not text"),
        ([{"role": "", "text": "  "}], "text", "empty"),
        ([{"role": "", "text": "x" * 2001}], "text", "2,001 characters"),
        ([{"role": "", "text": "".join(f"{{{{> p{n}}}}}" for n in range(101))}], "text", "names 101"),
        ([{"role": "wizard", "text": "x"}], "chat", "role must be one of"),
        ([], "chat", "1 to 50 messages"),
        ([{"text": "a"}, {"text": "b"}], "partial", "exactly one text"),
        ([{"role": "user", "text": "x", "name": "y"}], "chat", "'name' is not a field"),
        ("text", "text", "list of objects"),
        ([{"role": "user", "text": "a"}, {"role": "user", "text": "b\n{{c d}}"}], "chat", "Message 2, line 2"),
    ):
        with pytest.raises(Exception, match=says):
            read_content(content, kind, limit=2000)


def test_it_keeps_one_kind_of_line_end() -> None:
    assert read_content([{"role": "x", "text": "a\r\nb\rc"}], "text", limit=100).content == [
        {"role": "", "text": "a\nb\nc"}
    ]
