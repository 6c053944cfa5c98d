"""Read datasets from files: CSV with a header, or JSON lines. Errors name the first line at fault."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from console.core import strict_json
from console.core.errors import BadInput
from console.evals.models import DatasetItem
from console.evals.records import NotReplayable, check_tools
from console.evals.sampling import MOST_BYTES
from console.gateway.operations import OPERATIONS

MOST_ITEMS = 500
_MOST_LINES = 10_000  # empty ones and all: twenty million of them would be read for seconds, and say nothing
# Values in all items together: each is looked at several times, and 500 in an item are a long conversation.
_MOST_VALUES = 250_000
FORMATS = {"jsonl": "JSON lines", "csv": "CSV"}
_FIELDS = frozenset({"input", "system", "messages", "variables", "parameters", "expected"})
_VARIABLE = "variables."
_SPELT_OUT = 6  # characters that one may be written with
_COLUMNS = ("input", "system", "expected")
_CHAT = OPERATIONS["chat"]
# Of a call's fields, those that a dataset does not say: the candidate does, or nobody.
_NOT_PARAMETERS = frozenset({"model", "messages", "prompt", "stream", "stream_options", "knowledge"}) | _CHAT.withheld


def format_of(filename: str) -> str:
    return "csv" if filename.lower().endswith(".csv") else "jsonl"


def decoded(raw: bytes) -> str:
    """Return a file as text; BadInput when it is none, or too much."""
    if len(raw) > MOST_BYTES:
        raise BadInput(f"A dataset has at most {MOST_BYTES // 1024 // 1024} MB.", param="file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"The file is not UTF-8: byte {error.start} cannot be read.", param="file") from None


def read(text: str, form: str) -> list[DatasetItem]:
    """Return the items of a file, in its order."""
    if len(text) > MOST_BYTES:
        raise BadInput(f"A dataset has at most {MOST_BYTES // 1024 // 1024} MB.", param="file")
    items: list[DatasetItem] = []
    for line, row in _csv(text) if form == "csv" else _json_lines(text):
        if len(items) == MOST_ITEMS:
            raise BadInput(f"A dataset has at most {MOST_ITEMS} items; this file has more.", param="file")
        try:
            item = _item(row)
        except BadInput as wrong:
            raise BadInput(f"Line {line}: {wrong.message}", param="file") from None
        item.place = len(items) + 1
        items.append(item)
    if not items:
        raise BadInput("There is nothing in this file.", param="file")
    return items


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    values = 0
    for number, line in enumerate(io.StringIO(text, newline="\n"), 1):
        _check_lines(number)
        if not line.strip():
            continue
        if len(line) > _SPELT_OUT * _most():
            raise BadInput(f"Line {number}: It is longer than the log keeps: {_most():,} bytes.", param="file")
        try:
            row, _ = strict_json.loads(line.rstrip().encode("utf-8", "surrogatepass"))
        except BadInput as wrong:
            raise BadInput(f"Line {number}: {wrong.message.replace('The body', 'It')}", param="file") from None
        if not isinstance(row, dict):
            raise BadInput(f"Line {number}: it is no JSON object.", param="file")
        values += _values_in(row)
        if values > _MOST_VALUES:
            message = f"more than {_MOST_VALUES:,} values stand in the items up to here; make several datasets."
            raise BadInput(f"Line {number}: {message}", param="file")
        yield number, row


def _values_in(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_values_in, value.values()))
    return len(value) + sum(map(_values_in, value)) if isinstance(value, list) else 0


def _check_lines(number: int) -> None:
    if number > _MOST_LINES:
        raise BadInput(f"The file has more than {_MOST_LINES:,} lines; leave the empty ones out.", param="file")


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if "\0" in text:
        raise BadInput("The file holds a NUL character, which cannot be stored.", param="file")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [name.strip() for name in next(rows, [])]
        _check_head(head)
        for number, row in enumerate(rows, 2):
            _check_lines(number)
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(head):
                raise BadInput(
                    f"Line {rows.line_num}: it has {len(row)} cells, the head has {len(head)}.", param="file"
                )
            yield rows.line_num, _of_cells(dict(zip(head, row, strict=True)))
    except csv.Error as error:
        raise BadInput(f"Line {rows.line_num}: this is no CSV: {error}.", param="file") from None


def _check_head(head: list[str]) -> None:
    known = ", ".join((*_COLUMNS, f"{_VARIABLE}NAME"))
    for name in head:
        if name not in _COLUMNS and not (name.startswith(_VARIABLE) and name != _VARIABLE):
            raise BadInput(f"{name[:60]!r} is not a column here; known are {known}.", param="file")
    if len(set(head)) != len(head):
        raise BadInput("Two columns have the same name.", param="file")


def _of_cells(cells: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {name: cells[name] for name in _COLUMNS if cells.get(name)}
    variables = {name.removeprefix(_VARIABLE): text for name, text in cells.items() if name.startswith(_VARIABLE)}
    return {**row, "variables": variables} if variables else row


def _item(row: dict[str, Any]) -> DatasetItem:
    unknown = sorted(row.keys() - _FIELDS)
    if unknown:
        raise BadInput(f"{unknown[0][:60]!r} is not a field here; known are {', '.join(sorted(_FIELDS))}.")
    expected = row.get("expected") or ""
    if not isinstance(expected, str):
        expected = json.dumps(expected, ensure_ascii=False)
    variables, parameters = row.get("variables") or {}, row.get("parameters") or {}
    if not isinstance(variables, dict) or not isinstance(parameters, dict):
        raise BadInput("variables and parameters are objects.")
    if theirs := sorted(parameters.keys() & _NOT_PARAMETERS):
        raise BadInput(f"{theirs[0]} is not a parameter of an item; the candidate says what is asked, and how.")
    body = {**parameters, **_messages(row)}
    if not variables and "messages" not in body:
        raise BadInput("It has no input; write input, messages, or variables of a prompt.")
    if len(json.dumps([body, variables, expected], ensure_ascii=False).encode("utf-8", "replace")) > _most():
        raise BadInput(f"It is longer than the log keeps: {_most():,} bytes.")
    named = {"prompt": {"id": "x", "variables": variables}} if variables else {}
    _CHAT.check({**body, **named, "model": "x"})
    try:
        check_tools(body)
    except NotReplayable:
        raise BadInput("It has tools that the provider runs; those are not replayed.") from None
    given = {"variables": variables, "messages": 0} if variables else {}
    return DatasetItem(body=body, prompt=given, expected=expected)


def _most() -> int:
    return int(settings.AUDIT_CONTENT_BYTES)


def _messages(row: dict[str, Any]) -> dict[str, Any]:
    said, system, messages = row.get("input") or "", row.get("system") or "", row.get("messages")
    if messages is not None and (said or system):
        raise BadInput("It has messages; leave input and system out.")
    if messages is not None:
        return {"messages": messages}
    if not isinstance(said, str) or not isinstance(system, str):
        raise BadInput("input and system are texts.")
    found = [{"role": role, "content": text} for role, text in (("system", system), ("user", said)) if text]
    return {"messages": found} if found else {}
