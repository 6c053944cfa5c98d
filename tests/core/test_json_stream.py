"""A list in a file is read as it would be whole, whatever the file's pieces are, and refused as strictly."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core import json_stream
from console.core.errors import BadInput, TooLarge
from console.core.json_stream import elements

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


def read(body: str | bytes, longest: int = 1000) -> list[Any]:
    raw = body.encode() if isinstance(body, str) else body
    return list(elements(io.BytesIO(raw), "list", longest=longest))


@given(
    st.lists(_VALUES, max_size=6),
    st.dictionaries(_TEXTS.filter(lambda name: name != "list"), _VALUES, max_size=2),
    st.integers(1, 40),
    st.booleans(),
    st.sampled_from([None, 2]),
)
def test_it_yields_what_the_whole_list_has(
    values: list[Any], others: dict[str, Any], piece: int, is_ascii: bool, indent: int | None
) -> None:
    body = json.dumps({**others, "list": values}, ensure_ascii=is_ascii, indent=indent)
    before, json_stream._PIECE = json_stream._PIECE, piece
    try:
        assert read(f" {body}\n", longest=100_000) == values
        for end in range(0, len(body), 1 + len(body) // 20):
            with pytest.raises(BadInput):
                read(body[:end], longest=100_000)
    finally:
        json_stream._PIECE = before


@pytest.mark.parametrize("piece", [1, 7, 1 << 18])
def test_it_refuses_what_a_body_must_not_be(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_PIECE", piece)
    assert read("{}") == read('{"else": [1]}') == read('{"list": [ ]}') == []
    deep = "[" * 100_000 + "]" * 100_000
    for body, said, param in (
        ("", "must be a JSON object", None),
        ("[1]", "must be a JSON object", None),
        ('{"list": {}}', "list is a list", "list"),
        ('{"list": [1] "b": 2}', "} is missing", None),
        ('{"list": [1 2]}', "] is missing", None),
        ('{"list": [1, ]}', "not JSON", "list[1]"),
        ('{"list": [1]} 2', "goes on after its end", None),
        ("{list: [1]}", "a name is missing", None),
        ('{"list": [1], "list": [2]}', "names 'list' twice", None),
        ('{"list": [1, {"a": 1, "a": 2}]}', "names 'a' twice", "list[1]"),
        ('{"list": [NaN]}', "NaN", "list[0]"),
        ('{"list": [' + "9" * 500 + "]}", "beyond 64 bits", "list[0]"),
        ('{"list": ["\\u0000"]}', "NUL", "list[0]"),
        ('{"list": ["\\ud800"]}', "surrogate", "list[0]"),
        (b'{"list": ["\xff"]}', "not UTF-8", None),
        ('{"list": [' + "[" * 40 + "]" * 40 + "]}", "32 levels", "list[0]"),
    ):
        with pytest.raises(BadInput, match=said.replace("[", r"\[")) as caught:
            read(body)
        assert caught.value.param == param, body
    with pytest.raises(BadInput, match="32 levels"):
        read('{"list": [' + deep + "]}", longest=1 << 20)
    for long in ('["' + "x" * 1000 + '"]', "[" + "9" * 2000 + "]", '["' + "é" * 500 + '"]'):
        with pytest.raises(TooLarge, match=r"list\[0\] is larger than 1,000 bytes"):
            read('{"list": ' + long + "}")


def test_it_holds_no_more_than_a_piece_and_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not JSON is refused where that is known, and not at the end of what may be read of a value."""
    monkeypatch.setattr(json_stream, "_PIECE", 100)
    file = io.BytesIO(b'{"list": [nope' + b" " * 100_000)
    with pytest.raises(BadInput, match="not JSON"):
        list(elements(file, "list", longest=50_000))
    assert file.tell() <= 100
