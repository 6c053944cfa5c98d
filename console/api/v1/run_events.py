"""GET /v1/agents/{slug}/runs/{id}/events: stream what a run does."""

import time
from typing import NamedTuple

from django.conf import settings

from agents_app import access
from agents_app.models import Run, Step
from console.api.v1 import rows
from console.api.v1.request import Request
from console.api.v1.run_shapes import run_of, step_shape, visible_shape
from console.api.v1.sending import Send, error_body
from console.api.v1.stream import stream_headers
from console.api.v1.waits import waiting
from console.audit.models import EventType
from console.core import sse
from console.core.errors import Refusal

ROUTE = "/v1/agents/{slug}/runs/{run_id}/events"
_LOOK_SECONDS = 0.5
_STEPS_AT_ONCE = 50  # their outputs may be large
_UNSAID = {"arguments": None, "output": None}  # of a step, to who may not read content


class _Look(NamedTuple):
    """A run as one look found it. `steps` are those whose state has changed, by number; perhaps there are more."""

    run: Run
    steps: list[Step]
    has_more: bool


def _look(client: rows.Client, slug: str, run_id: str, states: dict[int, str]) -> _Look:
    """Read the run, and only the steps that are no longer in these `states`: their outputs may be large."""
    run = run_of(client, slug, run_id)
    steps = Step.objects.filter(run=run).order_by("number")
    changed = [number for number, state in steps.values_list("number", "state") if states.get(number) != state]
    current = list(steps.filter(number__in=changed[:_STEPS_AT_ONCE]).defer("decisions")) if changed else []
    return _Look(run, current, has_more=len(changed) > _STEPS_AT_ONCE)


async def follow(request: Request, send: Send, slug: str, run_id: str) -> None:
    """Stream what the run does: `step` for each step that changed, `run` for its state, then the end.

    It is read from the rows, so a stream that broke is simply opened again; no connection is held in between. One whose
    process stops ends as if it were over, but for the last `run`. A key whose access ends gets an `error`.
    """
    client = await rows.authenticate(request, EventType.AGENT.value, ROUTE)
    await client.do(run_of, client, slug, run_id)
    request.is_answered = True
    headers = stream_headers(request)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    states: dict[int, str] = {}
    state, beat = "", time.monotonic()
    async with waiting(request.receive) as pause:
        try:
            while not pause.is_over:
                client = client.refreshed()
                run, steps, has_more = await client.do(_look, client, slug, run_id, states)
                may_read, frames = access.may_read(client.caller, run), []
                for step in steps:
                    states[step.number] = step.state
                    shape = step_shape(step) if may_read else step_shape(step) | _UNSAID
                    frames.append(sse.frame(shape, "step"))
                if not has_more and (state != run.state or run.is_over):
                    state = run.state
                    frames.append(sse.frame(visible_shape(client, run), "run"))
                if not frames and time.monotonic() - beat > settings.GATEWAY_HEARTBEAT_SECONDS:
                    frames.append(sse.PING)
                if frames:
                    beat = time.monotonic()
                    await send({"type": "http.response.body", "body": b"".join(frames), "more_body": True})
                if has_more:
                    continue
                if run.is_over:
                    break
                await pause(_LOOK_SECONDS)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Refusal as refusal:
            body = error_body(refusal.message, kind=refusal.type, code=refusal.code)
            await send({"type": "http.response.body", "body": sse.frame(body, "error")})
