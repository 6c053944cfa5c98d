"""A batch from a table and back: each row is a call of a prompt, and its columns are the prompt's variables.

For people who have a spreadsheet and a prompt. Programs write the lines themselves.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings

from console.batches import storage
from console.batches.engine.parsing import LONGEST_ID
from console.batches.models import Batch, Line, LineState
from console.batches.services.creator import Creator
from console.catalog.access import aliases_for
from console.core.errors import BadInput, Gone, Refusal
from console.teams.callers import Caller
from prompts_app.access import label_for, prompt_for, version_for
from prompts_app.errors import UnknownLabel
from prompts_app.models import Kind, PromptVersion, Visibility
from prompts_app.queries.preview import variables_of
from prompts_app.shapes import default_label
from prompts_app.text.refs import parse_ref
from prompts_app.text.variables import check_values, values_from_texts
from usage_app.queries.audit.export import neutral

ENDPOINT = "/v1/chat/completions"
MOST_BYTES = 20 * 1024 * 1024
# Columns with a meaning of their own, unless the prompt has a variable of that name.
ID, MESSAGE = "id", "message"
# Each column costs something in every row, and a prompt has at most a hundred variables.
_MOST_COLUMNS = 500
_LINES_AT_ONCE = 500
_BYTES_AT_ONCE = 256 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
_FIRST_LINE = re.compile(r"[^\r\n]*")


@dataclass(slots=True)
class Calls:
    """The lines of a batch, one for each row, and the columns nothing was made of."""

    lines: list[bytes] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def calls_from(caller: Caller, creator: Creator, *, prompt: str, model: str, raw: bytes) -> Calls:
    """Return what the rows of a table ask of a prompt, named as everywhere, and an alias the team may call."""
    version = _version(caller, prompt.strip(), creator.environment)
    of = version.prompt
    if of.team_id != creator.team.pk and of.visibility != Visibility.ORGANISATION:
        raise BadInput(f"{of.slug} is only for {of.team}, so {creator.team} cannot ask it.", param="prompt")
    if not aliases_for(caller, creator.team).filter(name=model.partition("@")[0]).exists():
        raise BadInput(f"{creator.team} may call no alias {model[:60]!r}.", param="model")
    return calls_of(raw, version=version, model=model)


def filename_for(table: str) -> str:
    """Return what the file of calls made from a table is called."""
    return f"{table.rpartition('.')[0] or table or 'table'}.jsonl"


def _version(caller: Caller, text: str, environment: str) -> PromptVersion:
    """Return the version a ref means in an environment now: a batch keeps it to its last line."""
    ref = parse_ref(text)
    if ref is None:
        raise BadInput(
            "Write a prompt's name, as in support/answer, support/answer@7 or support/answer:canary.", param="prompt"
        )
    prompt = prompt_for(caller, ref.slug, param="prompt")
    if prompt.kind == Kind.PARTIAL:
        raise BadInput("This is a partial, which others include; choose a prompt.", param="prompt")
    if ref.number is not None:
        return version_for(prompt, ref.number, param="prompt")
    label = ref.label or default_label(environment)
    try:
        version = label_for(prompt, label).version
    except UnknownLabel:
        raise BadInput(
            f"No version of it is published as {label}; publish one, or name a version: {prompt.slug}@1.",
            param="prompt",
        ) from None
    version.prompt = prompt
    return version


def calls_of(raw: bytes, *, version: PromptVersion, model: str) -> Calls:
    """Return what the rows ask. BadInput names the first row that cannot be asked, and why."""
    rows = _rows(raw)
    head = [name.strip() for name in next(rows)[1]]
    declared = variables_of(version)
    _check_head(head, declared)
    names = {one["name"] for one in declared}
    found = Calls(ignored=[name for name in head if name not in names | {ID, MESSAGE, ""}])
    seen: dict[str, int] = {}
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(head) :]):
            raise BadInput(f"Row {number} has {len(cells)} cells, the first row has {len(head)}.", param="file")
        row = dict(zip(head, cells, strict=False))
        custom_id = (row.get(ID, "").strip() if ID not in names else "") or f"row-{number}"
        if len(custom_id) > LONGEST_ID:
            raise BadInput(f"Row {number}: an id has at most {LONGEST_ID} characters.", param="file")
        if custom_id in seen:
            raise BadInput(f"Rows {seen[custom_id]} and {number} have the same id, {custom_id[:60]!r}.", param="file")
        seen[custom_id] = number
        body = _body(number, row, version, declared, model)
        found.lines.append(
            orjson.dumps({"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}) + b"\n"
        )
        if len(found.lines) > settings.BATCH_MAX_LINES:
            raise BadInput(f"A batch has at most {settings.BATCH_MAX_LINES:,} rows; split the table.", param="file")
    if not found.lines:
        raise BadInput("The table has no rows below its first, which names the columns.", param="file")
    return found


def _rows(raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with their numbers in a spreadsheet. Columns are parted by what the first row has most of."""
    if len(raw) > MOST_BYTES:
        raise BadInput(f"A table has at most {MOST_BYTES // 1024 // 1024} MB; split it.", param="file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("The table is not UTF-8. Save it as “CSV UTF-8” in your spreadsheet.", param="file") from None
    if "\0" in text:
        raise BadInput("This is no CSV. Save the table as “CSV UTF-8” in your spreadsheet.", param="file")
    first = re.sub('"[^"]*"', "", _FIRST_LINE.match(text)[0])  # type: ignore[index]
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=max(",;\t", key=first.count))
    try:
        yield from enumerate(rows, 1)
    except csv.Error as error:
        if "field limit" in str(error):
            most = f"{csv.field_size_limit():,}"
            raise BadInput(f"Line {rows.line_num}: a cell has at most {most} characters.", param="file") from None
        raise BadInput(f"Line {rows.line_num}: this is no CSV: {error}.", param="file") from None
    if not text.strip():
        raise BadInput("The table is empty.", param="file")


def _check_head(head: Sequence[str], declared: Sequence[Mapping[str, Any]]) -> None:
    if len(head) > _MOST_COLUMNS:
        raise BadInput(f"A table has at most {_MOST_COLUMNS} columns; this has {len(head):,}.", param="file")
    twice = next((name for name in head if name and head.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"Two columns are called {twice[:60]!r}.", param="file")
    missing = [one["name"] for one in declared if one.get("is_required", True) and one.get("default") is None]
    missing = [name for name in missing if name not in head]
    if missing:
        needs = ", ".join(one["name"] for one in declared)
        raise BadInput(
            f"The first row names no column {', '.join(missing)}; the prompt has the variables {needs}.", param="file"
        )


def _body(
    number: int, row: Mapping[str, str], version: PromptVersion, declared: Sequence[Mapping[str, Any]], model: str
) -> dict[str, Any]:
    names = {one["name"] for one in declared}
    try:
        values = values_from_texts(declared, {name: text for name, text in row.items() if name in names})
        check_values(declared, values)
    except Refusal as refusal:
        raise BadInput(f"Row {number}: {refusal.message}", param="file") from None
    body: dict[str, Any] = {
        "model": model,
        "prompt": {"id": version.prompt.slug, "version": version.number, "variables": values},
    }
    if MESSAGE not in names and row.get(MESSAGE, "").strip():
        body["messages"] = [{"role": "user", "content": row[MESSAGE]}]
    return body


# And back -------------------------------------------------------------------------------------------------------------


def has_table(batch: Batch) -> bool:
    """Return whether a batch is one of conversations that is over, and its input still there."""
    return batch.is_over and batch.endpoint == ENDPOINT and batch.total > 0 and batch.input_file_id is not None


def table_of(batch: Batch) -> Iterator[bytes]:
    """Yield a finished batch as CSV: id, the values of each row, its answer, or why there is none.

    Its files hold the lines in the order of their numbers, so all are read side by side, and none is whole in memory.
    Gone where somebody deletes the batch meanwhile.
    Lines that programs wrote may name any values: those beyond the first names have no column.
    """
    names: dict[str, None] = {}
    for values, _ in _inputs(batch):
        names.update(dict.fromkeys(values))
        if len(names) >= _MOST_COLUMNS:
            break
    columns = list(names)[:_MOST_COLUMNS]
    # What a row was asked keeps its name, so that the file can be sent again.
    own = (f"batch_{name}" if name in names else name for name in (ID, "answer", "error"))
    first, *last = own
    piece = bytearray(_csv([first, *columns, *last]))
    outputs, errors = _outcomes(batch.output_file_id), _outcomes(batch.error_file_id)
    for values, line in _inputs(batch):
        said = next(outputs if line.state == LineState.DONE else errors, {})
        answer, error = (_answer(said), "") if line.state == LineState.DONE else ("", _error(said))
        piece += _csv([line.custom_id, *(values.get(name, "") for name in columns), answer, error])
        if len(piece) >= _BYTES_AT_ONCE:
            yield bytes(piece)
            piece.clear()
    if not Batch.objects.filter(pk=batch.pk).exists():
        raise Gone  # with its lines: what was read until then would look like all of them
    yield bytes(piece)


def _inputs(batch: Batch) -> Iterator[tuple[dict[str, Any], Line]]:
    """Yield each line with the values of its prompt, and its last message."""
    reader, after = storage.Reader(batch.input_file_id), 0
    fields = ("number", "custom_id", "offset", "length", "state")
    wanted = Line.objects.filter(batch=batch).order_by("number").only(*fields)
    while lines := list(wanted.filter(number__gt=after)[:_LINES_AT_ONCE]):
        for line in lines:
            body = _loaded(reader.read(line.offset, line.length)).get("body") or {}
            prompt, messages = body.get("prompt") or {}, body.get("messages") or []
            values = dict(prompt.get("variables") or {}) if isinstance(prompt, dict) else {}
            if messages:
                values.setdefault(MESSAGE, messages[-1].get("content"))
            yield values, line
        after = lines[-1].number


def _outcomes(file_id: Any) -> Iterator[dict[str, Any]]:
    if file_id is not None:
        for line in storage.raw_lines(file_id, longest=_LONGEST_LINE):
            yield _loaded(line.body)


def _loaded(raw: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _answer(said: dict[str, Any]) -> str:
    choices = ((said.get("response") or {}).get("body") or {}).get("choices") or [{}]
    return (choices[0].get("message") or {}).get("content") or ""


def _error(said: dict[str, Any]) -> str:
    error = said.get("error") or ((said.get("response") or {}).get("body") or {}).get("error") or {}
    return error.get("message") or error.get("code") or "Not sent."


def _csv(row: Sequence[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([neutral(_cell(one)) for one in row])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return value if is_plain else orjson.dumps(value).decode()
