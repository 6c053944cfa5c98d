"""Parse untrusted JSON: anything ambiguous, or that a database cannot store, is refused with the reason."""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

import orjson

from console.core.errors import BadInput

MAX_DEPTH = 32
MAX_MEMBERS = 10_000
_LEAST, _MOST, _MOST_DIGITS = -(2**63), 2**63 - 1, 19
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:  # first: an object is looked through only when it is one of a bounded size
        raise BadInput(f"An object in the body has more than {MAX_MEMBERS:,} members.")
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise BadInput(f"The body names {twice[:60]!r} twice in one object; which one counts would be a guess.")
    return found


def _constant(name: str) -> NoReturn:
    raise BadInput(f"The body holds {name}, which is not JSON.")


def _integer(digits: str) -> int:
    # Digits first: reading thousands of them takes long.
    if len(digits.lstrip("-")) > _MOST_DIGITS or not _LEAST <= (number := int(digits)) <= _MOST:
        raise BadInput("The body holds a whole number beyond 64 bits.")
    return number


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BadInput("The body holds a number too large to be one.")
    return value


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_number
)


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in re.sub(r"[^\[\]{}]", "", _STRING.sub("", text)):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def has_nul(value: Any) -> bool:
    """Return whether a JSON value holds a NUL anywhere, which PostgreSQL keeps in no text and no jsonb."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(has_nul(item) for item in value)


_UNSURE = object()
_LEAST_MEMBER = len(b'"":0,')


def _plain(raw: bytes) -> Any:
    """Return the value of a body as most programs write it, quickly; _UNSURE leaves the judging to the slow way.

    What comes out of orjson byte for byte as it went in names nothing twice and holds no number that is not one. Whole
    numbers beyond 53 bits do not come out, so the slow way counts their digits.
    """
    try:
        value = orjson.loads(raw)
        if orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) != raw:
            return _UNSURE
    except (orjson.JSONDecodeError, TypeError):
        return _UNSURE
    may_have_many_members = len(raw) > MAX_MEMBERS * _LEAST_MEMBER and raw.count(b'":') > MAX_MEMBERS
    return _UNSURE if may_have_many_members else value


def _decode(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise BadInput(f"The body nests more than {MAX_DEPTH} levels.") from None


def loads(raw: bytes) -> tuple[Any, str]:
    """Return the value and the text of a JSON body; raise BadInput that says what is wrong with it.

    Refused besides malformed JSON: bytes that are not UTF-8, duplicate names, NaN and infinities, NUL characters, lone
    surrogates, whole numbers beyond 64 bits, more than 32 levels.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"The body is not UTF-8: byte {error.start} cannot be read.") from None
    # Few brackets cannot nest deeply, so ordinary bodies skip the scan. Taking them out counts them twice as fast as
    # `count` does.
    if len(raw) - len(raw.translate(None, b"{[")) > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise BadInput(f"The body nests more than {MAX_DEPTH} levels.")
    value = _plain(raw)
    if value is _UNSURE:
        value = _decode(text)
    if "\\" in text and "\\u" in text:  # one character is found many times as fast as two
        _check_escapes(value, text)
    if "\0" in text and has_nul(value):
        raise _nul()
    return value, text


def _check_escapes(value: Any, text: str) -> None:
    """Refuse what only an escaped character can be: half a surrogate pair, and most NUL characters."""
    if "\\ud" in text or "\\uD" in text:
        try:
            orjson.dumps(value)
        except TypeError:
            raise BadInput("The body holds half of a surrogate pair, which is no character.") from None
    if "\\u0000" in text and has_nul(value):
        raise _nul()


def _nul() -> BadInput:
    return BadInput("The body holds a NUL character, which cannot be stored.")


def typed(text: str, param: str) -> Any:
    """Return the value of JSON that a person typed into the field `param`; BadInput says what is wrong with it."""
    try:
        return loads(text.encode())[0]
    except UnicodeEncodeError:
        raise BadInput(f"{param} holds half of a surrogate pair, which is no character.", param=param) from None
    except BadInput as wrong:
        raise BadInput(wrong.message.replace("The body", param).replace("the body", param), param=param) from None
