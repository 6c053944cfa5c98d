"""JSON from outside: what is sound comes through unchanged, anything else is refused with a reason."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.core.errors import BadInput
from console.core.strict_json import MAX_DEPTH, MAX_MEMBERS, loads

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text | st.floats(allow_nan=False, width=32)
values = st.recursive(
    scalars.filter(lambda v: not isinstance(v, float) or math.isfinite(v)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_it_reads_what_is_sound(value, ascii_only, indent):
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert loads(raw.encode()) == (value, raw)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused(raw):
    try:
        value, _ = loads(raw)
    except BadInput as refusal:
        assert refusal.status == 400 and refusal.message
    else:
        assert json.loads(raw) == value


@given(st.text('{}[]",:\\u0d8eE+-.1 tfn\n', max_size=60))
@settings(max_examples=300)
def test_any_text_that_looks_like_json_is_read_or_refused(raw):
    try:
        value, _ = loads(raw.encode())
    except BadInput:
        return
    assert json.dumps(json.loads(raw)) == json.dumps(value)


@given(values, text, values)
def test_a_name_given_twice_is_refused_wherever_it_stands(one, name, other):
    pair = f"{json.dumps(name)}: {json.dumps(one)}, {json.dumps(name)}: {json.dumps(other)}"
    for raw in (f"{{{pair}}}", f'[{{"a": {{{pair}}}}}]'):
        with pytest.raises(BadInput, match="twice"):
            loads(raw.encode())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not JSON"),
        (b"   ", "not JSON"),
        (b"{", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": 01}', "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b'{"a": "\t"}', "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": [-Infinity]}', "Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": -1e400}', "too large"),
        (b'{"a": 9223372036854775808}', "64 bits"),
        (b'{"a": -' + b"9" * 5000 + b"}", "64 bits"),
        (b'{"a":9223372036854775808}', "64 bits"),  # without a space, as it is written anew
        (b'{"a":[-9223372036854775809]}', "64 bits"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": [[{"b": "x\\u0000"}]]}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": "\\uDC00\\uD800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
        (b'{"a": "\xc0\x80"}', "UTF-8"),
        ('{"a": "b"}'.encode("utf-16"), "UTF-8"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "levels"),
        (b"[" * 1_000_000, "levels"),
        (b'{"a":' * 500_000, "levels"),
        (b'["\\"[", ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"]", "levels"),
        (json.dumps({str(n): n for n in range(MAX_MEMBERS + 1)}).encode(), "members"),
        # Not looked through for what it names twice: that took minutes.
        (json.dumps({str(n): n for n in range(MAX_MEMBERS)}).encode()[:-1] + b', "a": 1, "a": 2}', "members"),
    ],
)
def test_it_refuses_with_a_reason(raw, reason):
    with pytest.raises(BadInput, match=reason):
        loads(raw)


@pytest.mark.parametrize("number", [2**53 - 1, 2**53, -(2**53), 2**63 - 1, -(2**63), 1e16, 1.2345678901234567])
def test_a_number_of_64_bits_is_that_number(number):
    raw = json.dumps({"a": number, "b": "1234567890123456789"}, separators=(",", ":"))
    value, _ = loads(raw.encode())
    assert value == {"a": number, "b": "1234567890123456789"} and type(value["a"]) is type(number)


def test_an_emoji_written_as_two_escapes_is_a_character():
    assert loads(b'"\\ud83d\\ude00"')[0] == "\U0001f600"


def test_an_escaped_backslash_before_u0000_is_text():
    assert loads(b'"\\\\u0000 and \\\\ud800"')[0] == "\\u0000 and \\ud800"


def test_as_many_levels_as_are_allowed():
    value, depth = loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)[0], 1
    while value:
        (value,), depth = value, depth + 1
    assert depth == MAX_DEPTH


def test_brackets_inside_strings_are_no_levels():
    text = '\\"[{' * 1000
    assert loads(json.dumps({"a": text}).encode())[0] == {"a": text}
