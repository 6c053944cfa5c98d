"""Is a value exactly what a client library's types say? Nothing missing, nothing of another type, nothing invented."""

import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, NotRequired, Required

from typing_extensions import get_type_hints, is_typeddict


def problems(value: Any, wanted: Any, where: str = "body") -> list[str]:
    """Return what is wrong with a JSON value, measured by a TypedDict, a Literal, a union or a list of them."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in {Required, NotRequired, typing.Annotated}:
        return problems(value, arguments[0], where)
    if origin in {typing.Union, types.UnionType}:
        tried = [problems(value, one, where) for one in arguments]
        return min(tried, key=len)
    if is_typeddict(wanted):
        return _object(value, wanted, where)
    if origin is typing.Literal:
        return [] if value in arguments else [f"{where} is {value!r}, not one of {arguments}"]
    if _is_list(origin):
        if not isinstance(value, list):
            return [f"{where} is not a list"]
        return [p for i, item in enumerate(value) for p in problems(item, arguments[0], f"{where}[{i}]")]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{where} is not an object"]
    if wanted in {Any, object} or (wanted is type(None) and value is None):
        return []
    if isinstance(wanted, type) and type(value) is wanted:
        return []
    return [f"{where} is {value!r}, not {wanted}"]


def _is_list(origin: Any) -> bool:
    return origin in {list, Iterable, Sequence} or getattr(origin, "__name__", "") == "SequenceNotStr"


def _object(value: Any, wanted: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where} is not an object"]
    hints = get_type_hints(wanted, include_extras=True)
    needed = {name for name, hint in hints.items() if typing.get_origin(hint) is Required}
    found = [f"{where} lacks {name}" for name in sorted(needed - value.keys())]
    for name, member in value.items():
        if name in hints:
            found += problems(member, hints[name], f"{where}.{name}")
        else:
            found.append(f"{where}.{name} is not documented")
    return found
