"""Export the log as CSV or JSON lines in batches, with constant memory."""

import csv
import datetime as dt
import io
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from console.audit.models import TOKEN_KINDS, AuditEvent
from console.audit.search import Criteria
from console.audit.sql import search
from console.core.ids import request_id, time_of
from usage_app.queries.audit.ratings import ratings_of

CHUNK = 1000
_WITH_CONTENT = 25  # which may be megabytes each, with pictures
# What an export may take in all; a larger one says so in its last line, and is made in spans of time.
MOST_SECONDS = 3600

_NAMES = (
    "at closed_at type action status http_status code reason team actor_kind actor key "
    "environment lane surface route client_address client_request_id alias model prompt agent stream attempts "
    "prompt_tokens cached_tokens completion_tokens reasoning_tokens cost_micros usage_note latency_us first_token_us "
    "overhead_us target_type target detail input_sha256 output_sha256 end_user"
)
_STORED = _NAMES.split()
COLUMNS = ("request_id", *_STORED, *TOKEN_KINDS, "metadata")
RATINGS = ("ratings_good", "ratings_bad")
CONTENT = ("input", "output")
COMMENTS = "ratings_comments"
# A spreadsheet reads a cell that starts with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Incomplete(Exception):
    """The time of an export was up. What it left out is found with `until`: None where it found nothing at all."""

    def __init__(self, moment: dt.datetime | None) -> None:
        self.until = None
        message = "This export is incomplete: its time was up."
        if moment:
            self.until = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            message += f" The rest is found with until={self.until}"
        super().__init__(message)


def _value(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def _row(event: AuditEvent) -> dict[str, Any]:
    row = {name: _value(getattr(event, name)) for name in _STORED}
    return {"request_id": request_id(event.pk), **row, **event.by_kind, "metadata": event.metadata}


def neutral(value: Any) -> Any:
    """Put an apostrophe before text a spreadsheet would run, and write an object as JSON."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _chunk(events: Sequence[AuditEvent], *, content: bool) -> list[dict[str, Any]]:
    identifiers = [event.pk for event in events]
    bodies = search.payloads(identifiers) if content else {}
    said = ratings_of(identifiers)
    chunk = []
    for event in events:
        words = said.get(event.pk, [])
        good = sum(word.is_good for word in words)
        row = _row(event) | dict(zip(RATINGS, (good, len(words) - good), strict=True))
        if content:
            stored = bodies.get(event.pk, {})
            row |= {kind: stored[kind].body if kind in stored else "" for kind in CONTENT}
            row[COMMENTS] = "\n".join(word.comment for word in words if word.comment)
        chunk.append(row)
    return chunk


def rows(criteria: Criteria, *, content: bool) -> Iterator[list[dict[str, Any]]]:
    """Yield the filter's records in chunks, newest first. Raises Incomplete when its time is up before their end."""
    deadline = time.monotonic() + MOST_SECONDS
    last: uuid.UUID | None = None
    while time.monotonic() < deadline:
        page = search.find(criteria, older_than=last, limit=CHUNK, seconds=20)
        size = _WITH_CONTENT if content else CHUNK
        for start in range(0, len(page.events), size):
            yield _chunk(page.events[start : start + size], content=content)
        if page.searched_to:
            if page.searched_to == last:
                break
            last = page.searched_to
        elif page.has_more:
            last = page.events[-1].pk
        else:
            return
    if last is None:
        raise Incomplete(None)
    # The rest is asked for by whole milliseconds, so the one it got to is finished.
    moment = time_of(last)
    page = search.find(replace(criteria, start=moment), older_than=last, limit=CHUNK, seconds=20)
    if page.has_more or page.searched_to:
        raise Incomplete(moment + dt.timedelta(milliseconds=1))  # which has its records once more
    if page.events:
        yield _chunk(page.events, content=content)
    raise Incomplete(moment)


def as_csv(chunk: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([neutral(value) for value in row.values()] for row in chunk)
    return text.getvalue().encode()


def head(*, content: bool) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([*COLUMNS, *RATINGS, *((*CONTENT, COMMENTS) if content else ())])
    return text.getvalue().encode()


def as_jsonl(chunk: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chunk).encode()


def incomplete(export: Incomplete, form: str) -> bytes:
    """Return the last line of a file that does not have all: a row of one cell, or an object with `incomplete`."""
    if form == "csv":
        text = io.StringIO()
        csv.writer(text).writerow([str(export)])
        return text.getvalue().encode()
    return json.dumps({"incomplete": True, "until": export.until, "message": str(export)}).encode() + b"\n"
