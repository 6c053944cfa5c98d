"""Background responses that a run answers: agents with tools. The run is stored; the response is derived from it."""

from typing import NamedTuple

from agents_app.models import Run
from agents_app.queries.run_state import tokens_of, waits_for
from console.api.background import rows, shapes
from console.api.models import BackgroundResponse
from console.gateway.responses.answer import usage_of
from console.gateway.responses.events import ResponseEvents

State = BackgroundResponse.State
_STATES = {
    Run.State.QUEUED: State.QUEUED,
    Run.State.SUCCEEDED: State.COMPLETED,
    Run.State.FAILED: State.FAILED,
    Run.State.CANCELLING: State.CANCELLED,
    Run.State.CANCELLED: State.CANCELLED,
}


class RunResponse(NamedTuple):
    """A response as its run says it now. `is_over`: nothing more will be told to who waits for it."""

    events: ResponseEvents
    is_over: bool


def look(row: BackgroundResponse) -> None:
    """Let a row say what its run says."""
    run = row.run
    if run is not None:
        row.state = _STATES.get(Run.State(run.state), State.IN_PROGRESS)
        row.error_code, row.error_message = run.code or "run_failed", run.trouble


def response_of(row: BackgroundResponse, *, waits: bool) -> RunResponse:
    """Tell a response from its run. Who `waits` is not kept waiting for a person: a sentence says that a run is."""
    run = row.run
    assert run is not None
    if run.forgotten_at is not None:
        raise rows.missing(row.public_id)
    frame = {**shapes.unanswered(row), "error": None, "facet": {"run": run.public_id}}
    asks = waits_for(run) if run.state == Run.State.WAITING else ""
    if asks:
        frame["facet"]["waits_for"] = asks
    events = ResponseEvents({**frame, "status": "in_progress"})
    if row.state == State.COMPLETED:
        events.text(str((run.output or {}).get("text", "")), [])
        ended = run.ended_at or run.created_at
        events.end(usage_of(*tokens_of(run)), reason=None, at=int(ended.timestamp()))
    elif row.state == State.FAILED:
        events.fail(row.error_code, row.error_message, None, row.error_code)
    elif row.state == State.CANCELLED:
        events.drop()
    elif waits and asks:
        message = f"This waits for a person's decision about {asks} and goes on by itself then."
        events.text(f"{message} GET /v1/responses/{row.public_id} says how far it is.", [])
        events.end(usage_of(*tokens_of(run)), reason="waits_for_a_person", at=0)
    elif row.state == State.QUEUED:
        events.response["status"] = row.state
    return RunResponse(events, is_over=not row.is_open or bool(waits and asks))
