"""A background response as its caller sees it: the object, and the events that end it."""

from dataclasses import replace
from typing import Any

import orjson

from console.api.models import BackgroundResponse
from console.audit.redaction import redact
from console.core.errors import Refusal
from console.core.sse import named_frames
from console.gateway.asks import end_user_of, make_ask, metadata_of
from console.gateway.responses.answer import frame_of
from console.gateway.responses.events import ResponseEvents
from console.gateway.shapes import responses
from console.gateway.types import Ask

State = BackgroundResponse.State
ROUTE = "/v1/responses"


def body_of(row: BackgroundResponse) -> dict[str, Any]:
    """Return the checked body; of one that is over and was not kept, the little its row knows."""
    try:
        return responses.check(orjson.loads(row.body))
    except (orjson.JSONDecodeError, Refusal):
        return {"model": row.model, "background": True, "input": []}


def ask_of(row: BackgroundResponse, body: dict[str, Any], **more: Any) -> Ask:
    """Return the ask a row is; under its own id unless `more` says another."""
    identity = {"id": row.pk, "at": row.created_at, **more}
    ask = make_ask(
        "response",
        body,
        text=row.body,
        surface="api",
        route=ROUTE,
        lane=row.lane,
        client_address=row.client_address,
        client_request_id=row.client_request_id,
        end_user=end_user_of("response", body),
        metadata=row.metadata or metadata_of("response", body),
        **identity,
    )
    return replace(ask, response_id=row.pk, is_stream=row.is_stream, trace_parent=row.trace_parent)


def unanswered(row: BackgroundResponse) -> dict[str, Any]:
    """Return the object of a response that has no answer: not yet, or not any more."""
    response = {**(orjson.loads(row.frame) if row.frame else _least(row)), "status": row.state}
    if row.state == State.FAILED:
        response["error"] = {"code": row.error_code, "message": row.error_message}
    return response


def frame(row: BackgroundResponse) -> str:
    """Return what of a response is told as long as it has no answer."""
    return orjson.dumps(frame_of(ask_of(row, body_of(row)))).decode()


def _least(row: BackgroundResponse) -> dict[str, Any]:
    """Return what is known of one whose frame was not kept."""
    return frame_of(Ask(row.pk, row.created_at, "", row.model, {"background": True}, ""))


def split(frames: bytes) -> list[bytes]:
    """Return events one by one."""
    return [frame + b"\n\n" for frame in frames.split(b"\n\n") if frame]


def first_frames(row: BackgroundResponse) -> list[bytes]:
    """Return the events of a response that waits for its turn: that it was made, and that it waits."""
    return split(named_frames(ResponseEvents({**unanswered(row), "status": "in_progress"}).take()[:2]))


def last_frames(row: BackgroundResponse, number: int, *, code: str = "", message: str = "") -> list[bytes]:
    """Return the events of an end without an answer; none where nobody asked for events."""
    if not row.is_stream:
        return []
    events = ResponseEvents(unanswered(row), number=number)
    if code:
        events.fail(code, message, None, code)
    else:
        events.drop()
    return split(named_frames(events.take()))


def answered_frames(row: BackgroundResponse, response: dict[str, Any]) -> list[bytes]:
    """Return the event that ends a stream with a whole answer."""
    events = ResponseEvents(response, number=row.told)
    events.again(response)
    return split(named_frames(events.take()))


def answer_in(frames: str) -> dict[str, Any] | None:
    """Return the answer that the last of some events holds, as the log would keep it if it were shorter."""
    body = frames.rstrip("\n").rpartition("\ndata: ")[2]
    event: dict[str, Any] = orjson.loads(redact(body)[0])
    return event.get("response")
