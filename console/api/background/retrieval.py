"""Retrieve a background response: its present state, and its events from a number on."""

from typing import Any, NamedTuple

import orjson
from django.conf import settings
from django.db.models import Subquery
from django.db.models.functions import Coalesce

from console.api import responses as stored_responses
from console.api.background import rows, runs, shapes
from console.api.background.rows import State
from console.api.models import BackgroundResponse, ResponseFrames
from console.audit.models import Payload
from console.core.errors import BadInput, Conflict
from console.core.ids import request_id
from console.core.sse import named_frames
from console.teams.callers import Caller

_MOST_ROWS = 200


class Heard(NamedTuple):
    """Events, the number of the last of them, and whether more will come."""

    frames: bytes
    last: int
    goes_on: bool


def object_of(row: BackgroundResponse) -> dict[str, Any]:
    """Return a response as it is now; the answer of one that has one is what the log keeps."""
    if row.run_id is not None:
        return runs.response_of(row, waits=False).events.response
    is_answered = row.state in {State.COMPLETED, State.INCOMPLETE}
    output = None
    if row.request_id is not None and not row.is_open:
        output = Payload.objects.filter(event_id=row.request_id, kind="output").first()
    if not is_answered:
        response = shapes.unanswered(row)
        if output is not None and not output.is_cut:  # as far as it came
            partial = orjson.loads(output.body)
            response |= {name: partial[name] for name in ("output", "usage") if partial.get(name)}
        return response
    if output is None:
        raise rows.missing(row.public_id)
    if output.is_cut:
        return _whole_answer(row)
    answer: dict[str, Any] = orjson.loads(output.body)
    return answer


def _whole_answer(row: BackgroundResponse) -> dict[str, Any]:
    """Return an answer of which the log keeps a part only, from its last event."""
    last = ResponseFrames.objects.filter(response=row).order_by("-first").first()
    answer = shapes.answer_in(last.body) if last is not None else None
    if answer is None:
        raise Conflict(
            f"The response {row.public_id!r} was {row.state} and is longer than the {settings.AUDIT_CONTENT_BYTES:,}"
            " bytes that are kept of one. The whole of it was here for an hour after its end: fetch such answers within"
            " that, or have AUDIT_CONTENT_BYTES raised.",
            code="response_not_whole",
            headers={"x-should-retry": "false"},
        )
    return answer


def call_of(row: BackgroundResponse) -> str:
    """Return the id under which the log has the call of a response that is over; nothing where none was made."""
    return request_id(row.request_id) if row.request_id is not None and not row.is_open else ""


def again(caller: Caller, name: str) -> BackgroundResponse:
    """Return a response as it is now."""
    background = stored_responses.in_background(caller, name)
    if background is None:
        raise rows.missing(name)
    return background[0]


def heard(caller: Caller, name: str, after: int, *, waits: bool = False) -> Heard:
    """Return the events of a response after this number, as far as they are told."""
    row = again(caller, name)
    if row.run_id is not None:
        told_now = runs.response_of(row, waits=waits)
        new = shapes.split(named_frames(told_now.events.take()))[after + 1 :]
        return Heard(b"".join(new), after + len(new), not told_now.is_over)
    # The last events come in the commit that ends it, so whoever read the end before the events reads all of them.
    stored = ResponseFrames.objects.filter(response=row)
    holds_the_next = stored.filter(first__lte=after + 1).order_by("-first").values("first")[:1]
    blocks = list(stored.filter(first__gte=Coalesce(Subquery(holds_the_next), 0)).order_by("first")[:_MOST_ROWS])
    events = [
        event for block in blocks for event in shapes.split(block.body.encode())[max(0, after + 1 - block.first) :]
    ]
    goes_on = row.is_open or len(blocks) == _MOST_ROWS
    return Heard(b"".join(events), after + len(events), goes_on and bool(row.is_open or events))


def check_followed(row: BackgroundResponse, after: int) -> None:
    """Refuse to follow a response without events, or from an event never sent; those of runs are sent again."""
    if row.run_id is not None:
        _check_told(after, len(runs.response_of(row, waits=False).events.take()))
        return
    if not row.is_stream:
        raise BadInput("This response was asked for without stream: true; look at it without stream.", param="stream")
    if not row.is_open and not ResponseFrames.objects.filter(response=row).exists():
        raise BadInput("The events of this response are not kept any more; look at it without stream.", param="stream")
    last = ResponseFrames.objects.filter(response=row).order_by("-first").first() if after >= 0 else None
    _check_told(after, last.first + len(shapes.split(last.body.encode())) if last is not None else 0)


def _check_told(after: int, count: int) -> None:
    """Refuse a number no event has had yet: whoever waits for what comes after it would miss all that comes before."""
    if after >= count:
        raise BadInput(f"No event has had the number {after} yet; so far there are {count}.", param="starting_after")
