"""A prompt's file says what the prompt says, byte for byte, whatever stands in it; anything else is refused by line."""

import difflib
import random
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from prompts_app.git import front_matter
from prompts_app.git.document import Document, from_markdown, to_markdown
from prompts_app.git.problems import Unreadable
from prompts_app.git.report import diff
from prompts_app.text.variables import check_declared

# Pieces that tempt: headings, escapes, fences, breaks of every kind.
_TEMPTING = [
    "# [user]",
    "\\# [user]",
    "\\\\# [x]",
    "# [",
    "---",
    "---\n",
    "\n",
    "\r\n",
    "\x85",
    "\u2028",
    " ",
    "\ufeff",
    "{{x}}",
]
texts = st.lists(st.sampled_from(_TEMPTING) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)).map(
    "".join
)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
tricky = st.sampled_from(
    ["no", "010", "1:30", "2026-01-01", "1e5", "~", "null", "true", "0x1F", "", "<<", "=", "*a", "&b", "- x"]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | words | tricky | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | tricky, inner, max_size=3),
    max_leaves=8,
)
variables = st.builds(
    lambda name, kind, required, choices, default, given: {
        "name": name, "type": kind, "is_required": required, "choices": choices, "default": default, "example": given,
    },
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True),
    st.sampled_from(["text", "number", "choice", "json"]),
    st.booleans(),
    st.lists(words | tricky, max_size=3),
    values.filter(lambda v: v != []),
    values.filter(lambda v: v != []),
)  # fmt: skip
messages = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "text": texts})

chats = st.lists(messages, min_size=1, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    kind = draw(st.sampled_from(["text", "chat", "partial"]))
    return Document(
        kind=kind,
        content=draw(chats) if kind == "chat" else [{"role": "", "text": draw(texts)}],
        description=draw(st.none() | words | tricky | texts.filter(lambda t: len(t) <= 300 and "\0" not in t)),
        tags=draw(st.none() | st.lists(words | tricky, max_size=3)),
        team=draw(st.none() | st.just("support") | tricky),
        visibility=draw(st.none() | st.sampled_from(["team", "organisation"])),
        variables=draw(st.lists(variables, max_size=3)),
        parameters=draw(st.dictionaries(words | tricky, values, max_size=3)),
    )  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
@example(Document("chat", [{"role": "user", "text": "a\n# [user]\n\\# [user]"}, {"role": "system", "text": "\n\n"}]))
def test_it_comes_back_as_it_was(document: Document) -> None:
    assert from_markdown(to_markdown(document), path="a.md") == document


def test_what_is_nested_as_deep_as_a_prompt_may_be_comes_back() -> None:
    lists: Any = "end"
    for _ in range(31):
        lists = [lists]
    declared = check_declared([{"name": "x", "type": "json", "default": lists}], frozenset({"x"}))
    document = Document("text", [{"role": "", "text": "{{x}}"}], variables=declared)
    assert from_markdown(to_markdown(document), path="a.md") == document


def test_it_reads_well() -> None:
    document = Document(
        kind="chat",
        content=[{"role": "system", "text": "Be kind.\n# [user]"}, {"role": "user", "text": "{{question}}"}],
        description="Answers: customers",
        tags=["chat", "010"],
        team="support",
        visibility="team",
        variables=[
            {"name": "question", "type": "text", "is_required": True, "choices": [], "default": None, "example": "Why?"}
        ],
        parameters={"temperature": 0.2, "stop": ["no"]},
    )
    assert to_markdown(document) == (
        "---\nkind: chat\nteam: support\nvisibility: team\ndescription: 'Answers: customers'\n"
        "tags:\n  - chat\n  - '010'\nvariables:\n  - name: question\n    type: text\n    example: Why?\n"
        "parameters:\n  temperature: 0.2\n  stop:\n    - 'no'\n---\n"
        "# [system]\nBe kind.\n\\# [user]\n\n# [user]\n{{question}}\n"
    )


def test_it_reads_what_people_write() -> None:
    text = "---\nteam: a # mine\nvariables:\n- {name: x}\n---\nHello {{x}}"
    found = from_markdown(text, path="a.md")
    assert (found.kind, found.team, found.tags, found.content[0]["text"]) == ("text", "a", None, "Hello {{x}}")
    assert found.variables[0]["type"] == "text" and found.variables[0]["is_required"] is True
    chat = from_markdown("---\nkind: chat\n---\n\n# [system]\na\n# [user]\nb", path="a.md")
    assert [m["text"] for m in chat.content] == ["a", "b"]


WRONG = [
    ("Hello", 1, "must begin with"),
    ("---\nkind: text\nHello", 1, "no end"),
    ("---\nkind: text\nkinds: 1\n---\n", 3, "'kinds' is not a key"),
    ("---\nkind: text\nkind: chat\n---\n", 3, "twice"),
    ("---\nkind: poem\n---\n", 2, "none of text, chat, partial"),
    ("---\ntags: a\n---\n", 2, "list of texts"),
    ("---\ntags: [1]\n---\n", 2, "list of texts"),
    ("---\n\ndescription: " + "x" * 301 + "\n---\n", 3, "300 is the most"),
    ("---\ndescription: 7\n---\n", 2, "put it in quotes"),
    ("---\nvariables:\n  - type: text\n---\n", 2, "Variable 1 needs a name"),
    ("---\nvariables:\n  - {name: x, code: y}\n---\n", 2, "'code' is not a field"),
    ("---\nparameters: [1]\n---\n", 2, "must be a mapping"),
    ("---\na: &x 1\n---\n", 2, "Anchors"),
    ("---\na: *x\n---\n", 2, "nchors"),
    ("---\ndescription: !!python/object:os.system x\n---\n", 2, "has no meaning"),
    ("---\ndescription: !!binary aGk=\n---\n", 2, "has no meaning"),
    ("---\n- a\n---\n", 2, "one mapping"),
    ("---\na: [\n---\n", 2, "not YAML"),
    ("---\n? [a]\n: b\n---\n", 2, "key must be a word"),
    ("---\nparameters: {a: 1e999}\n---\n", 2, "too large"),
    ("---\nparameters: " + "[" * 60 + "]" * 60 + "\n---\n", 2, "nested too deep"),
    ("---\nparameters: " + "[" * 60 + "\n---\n", 2, "nested too deep"),  # found before the end is looked for
    ("---\nkind: chat\n---\nHi\n", 4, "begins with a line"),
    ("---\nkind: chat\n---\n# [system]\na\n# [robot]\n", 6, "'robot' is not a role"),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG)
def test_it_refuses_by_line(text: str, line: int, said: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(said)) as caught:
        from_markdown(text, path="support/a.md")
    assert (caught.value.problems[0].path, caught.value.problems[0].line) == ("support/a.md", line)


def test_it_names_every_problem_at_once() -> None:
    with pytest.raises(Unreadable) as caught:
        from_markdown("---\nkind: poem\nshape: x\ntags: 1\n---\n", path="a.md")
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]


def test_it_stops_reading_values_that_do_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_matter, "_MOST_VALUES", 100)
    assert from_markdown("---\ntags: [" + "a, " * 90 + "]\n---\nHi\n", path="a.md").tags
    with pytest.raises(Unreadable, match="holds too many values"):
        from_markdown("---\nkind: text\ntags: [" + "a, " * 100 + "\n---\nHi\n", path="a.md")


def test_it_shows_what_differs_as_git_does() -> None:
    dice = random.Random(7)
    for _ in range(50):
        old, new = (
            Document(
                kind="text", content=[{"role": "", "text": "\n".join(dice.choices("abcdefgh", k=dice.randrange(30)))}]
            )
            for _ in range(2)
        )
        for before in (old, None):
            a, b = (to_markdown(one).splitlines() if one else [] for one in (before, new))
            source = "a/x.md" if before else "/dev/null"
            assert diff(before, new, "x.md") == list(difflib.unified_diff(a, b, source, "b/x.md", lineterm=""))


def test_it_gives_up_on_what_repeats_itself_too_often() -> None:
    """Two such texts, which fit into one file each, would be compared for hours."""
    old, new = (
        Document(kind="text", content=[{"role": "", "text": "\n".join(f"{i * step % 111}" for i in range(30_000))}])
        for step in (1, 2)
    )
    assert not [line for line in diff(old, new, "x.md")[10:] if line.startswith(" ")]
