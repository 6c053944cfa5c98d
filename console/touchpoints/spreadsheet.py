"""Read a list of places from a spreadsheet, or say line by line and column by column what is wrong."""

import csv
import io
from typing import Any

from console.core.errors import BadInput
from console.touchpoints.errors import BadList
from console.touchpoints.fields import checked, spend

COLUMNS = ("name", "where", "kind", "model", "owner", "expected", "spend", "notes", "status")
# What a field is called inside.
_FIELDS = {"where": "place", "spend": "spend_micros"}
_COLUMN_OF = {field: column for column, field in _FIELDS.items()}
MOST_LINES, MOST_CHARACTERS = 500, 500_000

Row = tuple[int, dict[str, Any]]


def read(text: str) -> list[Row]:
    """Return (line, fields) of every place of a list with a head; commas, semicolons or tabs part its columns."""
    if len(text) > MOST_CHARACTERS:
        raise BadList([f"The list is {len(text):,} characters long; {MOST_CHARACTERS:,} at most. Import it in parts."])
    lines = _lines(text.lstrip("\ufeff"))
    if not lines:
        raise BadList(["The list is empty. Its first line names the columns: name, where, kind, owner …"])
    columns = _head(lines[0][1])
    if len(lines) - 1 > MOST_LINES:  # before each is looked at, which takes its time
        raise BadList([f"The list has {len(lines) - 1:,} places; {MOST_LINES} at most. Import it in parts."])
    rows, problems, seen = [], [], dict[str, int]()
    for line, cells in lines[1:]:
        wrong, fields = _row(line, cells, columns)
        name = fields.get("name", "").lower()
        if name in seen:
            wrong.append(f"Line {line}, name: {fields['name'][:60]!r} is on line {seen[name]} already.")
        elif name:
            seen[name] = line
        problems += wrong
        rows.append((line, fields))
    if not rows:
        problems.append("Below its head the list is empty.")
    if problems:
        raise BadList(problems)
    return rows


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """Return the cells of each line that holds something, with the number of the line it begins on."""
    head = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    found, began = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((began, [cell.strip() for cell in cells]))
            began = reader.line_num + 1
    except csv.Error as error:
        raise BadList([f"Line {reader.line_num}: this is not CSV ({error}). Is a quotation mark missing?"]) from None
    return found


def _head(cells: list[str]) -> list[str]:
    columns = [cell.lower() for cell in cells]
    known = ", ".join(COLUMNS)
    problems = [
        f"Line 1: {column[:40]!r} is no column here; known are {known}." for column in columns if column not in COLUMNS
    ]
    problems += [f"Line 1: {column!r} is there twice." for column in COLUMNS if columns.count(column) > 1]
    problems += [
        f"Line 1: the column {column!r} is missing. The first line names the columns: {known}."
        for column in ("name", "kind")
        if column not in columns
    ]
    if problems:
        raise BadList(problems)
    return columns


def _row(line: int, cells: list[str], columns: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Return what is wrong with a line, and its fields as far as they are right."""
    wrong: list[str] = []
    if len(cells) > len(columns):
        wrong.append(f"Line {line}: {len(cells)} cells for {len(columns)} columns. Put quotation marks around commas.")
    given = dict(zip(columns, [*cells, *[""] * len(columns)], strict=False))
    fields: dict[str, Any] = {}
    for column, text in given.items():
        field = _FIELDS.get(column, column)
        if column == "status" and not text:
            continue
        try:
            fields |= checked({field: spend(text) if column == "spend" else text})
        except BadInput as refusal:
            wrong.append(f"Line {line}, {_COLUMN_OF.get(field, field)}: {refusal.message}")
    return wrong, fields
