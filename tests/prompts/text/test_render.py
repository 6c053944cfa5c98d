"""Plain substitution: what is put in is never read again, never run, and never grows without end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts_app.errors import CircularInclude, MissingPartial, RenderedTooLarge, TooDeep, WrongVariables
from prompts_app.text.parse import Node, parse, variables_in
from prompts_app.text.refs import Ref
from prompts_app.text.render import Rendered, Shape, partials_of, render
from prompts_app.text.variables import check_declared


@dataclass(frozen=True)
class Version:
    slug: str
    number: int
    kind: str
    parts: tuple[tuple[str, tuple[Node, ...]], ...]
    variables: list[Mapping[str, Any]]


def version(slug: str, *texts: str, kind: str = "partial", number: int = 1, variables: Any = ()) -> Version:
    parts = tuple(("", parse(text)) for text in texts)
    used = [name for _, nodes in parts for name in variables_in(nodes)]
    return Version(slug, number, kind, parts, check_declared(list(variables), used))


def said(top: Version, values: Mapping[str, Any], *partials: Version, limit: int = 1000) -> Rendered:
    by_slug = {partial.slug: partial for partial in partials}

    def lookup(of: Shape, ref: Ref) -> Shape:
        if ref.slug not in by_slug:
            raise MissingPartial(str(ref))
        return by_slug[ref.slug]

    return render(top, values, lookup, limit=limit)


def text(top: str, values: Mapping[str, Any], *partials: Version, limit: int = 1000) -> str:
    return said(version("top", top, kind="text"), values, *partials, limit=limit).messages[0]["content"]


def test_it_puts_values_and_partials_in_place() -> None:
    style = version("style", "Be {{tone}}. {{> sign}}")
    sign = version("sign", "— {{team}}", number=3)
    rendered = said(
        version("top", "{{> style}} Hi {{name}}", kind="text"), {"tone": "calm", "team": "A", "name": "Z"}, style, sign
    )
    assert rendered.messages == [{"role": "user", "content": "Be calm. — A Hi Z"}]
    assert rendered.took_part == [
        {"slug": "top", "number": 1},
        {"slug": "style", "number": 1},
        {"slug": "sign", "number": 3},
    ]


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_value_is_never_read_again(first: str, second: str) -> None:
    """Any text in, the same text out: braces, names of variables and partials, escapes and format marks included."""
    assert text("<{{a}}|{{b}}>", {"a": first, "b": second}) == f"<{first}|{second}>"


@pytest.mark.parametrize(
    "value",
    ["{{b}}", "{{> style}}", "\\{{", "}}", "{{", "{0}", "%(a)s", "${a}", "{% load x %}", "{{ settings.SECRET_KEY }}",
     "__import__('os').system('x')", "{{a}}{{a}}", "\x00", "\ud800"],
)  # fmt: skip
def test_it_runs_and_expands_nothing(value: str) -> None:
    style = version("style", "[{{a}}]")
    assert text("{{a}} {{b}} {{> style}}", {"a": value, "b": "B"}, style) == f"{value} B [{value}]"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
        max_leaves=8,
    )
)
def test_any_json_value_stands_as_json(value: Any) -> None:
    import json

    top = version("top", "{{v}}", kind="text", variables=[{"name": "v", "type": "json"}])
    assert json.loads(said(top, {"v": value}, limit=100_000).messages[0]["content"]) == value


def test_it_names_every_wrong_variable_at_once() -> None:
    top = version(
        "top", "{{a}}{{b}}{{c}}{{d}}{{e}}", kind="text",
        variables=[{"name": "b", "type": "number"}, {"name": "c", "type": "choice", "choices": ["x", "y"]},
                   {"name": "d", "is_required": False}, {"name": "e", "default": "E"}],
    )  # fmt: skip
    with pytest.raises(WrongVariables) as caught:
        said(top, {"b": "3", "c": "z", "other": 1, "more": 2})
    error = caught.value
    assert (error.missing, error.unknown) == (["a"], ["more", "other"])
    assert error.wrong == {"b": "must be a number", "c": "must be one of x, y"}
    for name in ("a", "b", "c", "more", "other"):
        assert name in error.message
    assert said(top, {"a": "1", "b": 2.5, "c": "x"}).messages[0]["content"] == "12.5xE"
    for wrong in (True, float("nan"), float("inf"), None, [], "1"):
        with pytest.raises(WrongVariables):
            said(top, {"a": "1", "b": wrong, "c": "x"})


def test_the_prompts_word_counts_where_a_partial_declares_the_same_variable() -> None:
    style = version("style", "{{tone}}", variables=[{"name": "tone", "is_required": True}])
    top = version("top", "{{> style}}", kind="text", variables=[{"name": "tone", "default": "calm"}])
    assert said(top, {}, style).messages[0]["content"] == "calm"


def test_it_names_circles_and_what_is_missing_or_no_partial() -> None:
    with pytest.raises(CircularInclude, match="top > a > b > a"):
        text("{{> a}}", {}, version("a", "{{> b}}"), version("b", "{{> a}}"))
    with pytest.raises(CircularInclude, match="top > a > top"):
        text("{{> a}}", {}, version("a", "{{> top}}"))
    with pytest.raises(MissingPartial, match="'gone@4'"):
        text("{{> gone@4}}", {})
    with pytest.raises(MissingPartial, match="a chat prompt, not a partial"):
        text("{{> a}}", {}, version("a", "x", kind="chat"))


def test_partials_stand_five_deep_and_no_deeper() -> None:
    chain = [version(f"p{n}", f"{{{{> p{n + 1}}}}}") for n in range(1, 5)] + [version("p5", "deep")]
    assert text("{{> p1}}", {}, *chain) == "deep"
    with pytest.raises(TooDeep, match="p6"):
        text("{{> p1}}", {}, *chain[:4], version("p5", "{{> p6}}"), version("p6", "x"))
    # a partial that was seen near the top counts again where it stands deeper
    with pytest.raises(TooDeep):
        text("{{> p4}}{{> p1}}", {}, *chain[:4], version("p5", "{{> p6}}"), version("p6", "x"))


def test_partials_that_multiply_each_other_end_at_the_limit() -> None:
    # Work grows with the number of versions; over the 2000^5 places they stand in it would never end.
    many = [version(f"p{n}", f"{{{{> p{n + 1}}}}}" * 2000) for n in range(1, 5)]
    with pytest.raises(RenderedTooLarge, match="200,000"):
        text("{{> p1}}", {}, *many, version("p5", "ha"), limit=200_000)
    assert text("{{> p1}}" * 2000, {"x": ""}, *many, version("p5", "{{x}}"), limit=200_000) == ""


def test_the_size_counts_what_values_bring() -> None:
    assert text("{{a}}", {"a": "x" * 1000}) == "x" * 1000
    with pytest.raises(RenderedTooLarge):
        text("{{a}}{{a}}", {"a": "x" * 501})
    chat = version("top", "{{a}}", "{{a}}", kind="chat")
    with pytest.raises(RenderedTooLarge):
        said(chat, {"a": "x" * 501})


def test_it_lists_the_partials_of_a_version_once() -> None:
    by_slug = {"a": version("a", "{{> b}}"), "b": version("b", "x")}
    found = partials_of(version("top", "{{> a}}{{> b}}", kind="text"), lambda _, ref: by_slug[ref.slug])
    assert [one.slug for one in found] == ["a", "b"]
