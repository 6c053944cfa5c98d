"""/v1/agents/{slug}/runs: start a run, wait for it or follow it, retrieve it, cancel it."""

import hashlib
import time
from typing import Any, NamedTuple

import orjson

from agents_app import access
from agents_app.models import Run, Step
from agents_app.queries.reruns import base_of
from agents_app.queries.run_state import is_for, run_said
from agents_app.services.reruns import rerun_from
from agents_app.services.runs import Origin, cancel_run, start_run
from console.api.idempotency import KeyReused, check_key
from console.api.v1 import rows
from console.api.v1.asks import metadata_in
from console.api.v1.request import ClientGone, Request, read_json
from console.api.v1.run_shapes import run_of, shape, step_shape, visible_shape
from console.api.v1.sending import Send, send_json
from console.api.v1.waits import waiting
from console.audit.models import EventType
from console.audit.redaction import kept_name
from console.core.errors import BadInput, NotAllowed, Refusal
from console.gateway.shapes import fields

ROUTE = "/v1/agents/{slug}/runs"
LONGEST_WAIT = 300
_LOOK_SECONDS = 0.5
_LONGEST_DEDUPE_KEY = 300  # as wide as its column


async def start(request: Request, send: Send, slug: str) -> None:
    client = await rows.authenticate(request, EventType.AGENT.value, ROUTE)
    try:
        body, _ = await read_json(request)
        wait, again = _check(body)
        metadata = metadata_in(request, "", body)
        key = check_key(request.idempotency_key) if request.idempotency_key is not None else None
    except Refusal as refusal:
        raise await client.refuse(refusal) from None
    assert client.asker.key is not None
    dedupe = _dedupe_key(f"key:{client.asker.key.first_key}:{slug[:60]}:", key) if key is not None else None

    def start() -> Run:
        agent, actor = access.agent_for(client.caller, slug, to="use"), client.caller.actor
        origin = Origin(
            Run.Trigger.API,
            dedupe_key=dedupe,
            called_by=run_said(request.calling_run),
            end_user=kept_name("user", body.get("user") or ""),
            metadata=metadata,
        )
        if again is not None:
            repeated = _repeated(client, slug, again.run)
            run = rerun_from(actor=actor, agent=agent, run=repeated, number=again.step, origin=origin)
            is_same = (run.parent_id, run.parent_step) == (repeated.pk, base_of(repeated, again.step).first)
        else:
            value = body.get("input", {})
            run = start_run(actor=actor, agent=agent, input=value, environment=client.asker.environment, origin=origin)
            is_same = run.parent_id is None and run.input == value
        if dedupe is not None and not (is_same and is_for(run, origin.end_user)):
            raise KeyReused(
                f"This Idempotency-Key started {run.public_id} with something else; use a new key.",
                param="Idempotency-Key",
            )
        return access.run_for(client.caller, run.public_id)

    run = await client.do(start)
    if wait:
        run = await _wait(client, run, wait)
    status = 200 if run.is_over else 202
    await send_json(send, request, status, orjson.dumps(shape(run)), [])


def _dedupe_key(credential: str, key: str) -> str:
    """Return what finds the run a key has started before; one too long to be kept is kept as its digest."""
    name = f"{credential}{key}"
    return name if len(name) <= _LONGEST_DEDUPE_KEY else f"{credential}{hashlib.sha256(key.encode()).hexdigest()}"


class Again(NamedTuple):
    """From which step of which run a new one continues."""

    run: str
    step: int


def _repeated(client: rows.Client, slug: str, run_id: str) -> Run:
    """Return the run a new one takes steps over from: of this agent and environment, and only for who may read it."""
    run = run_of(client, slug, run_id)
    if not access.may_read(client.caller, run):
        raise NotAllowed("What a run did is for the key that started it, and for keys with audit:content.")
    if run.environment != client.asker.environment:
        raise NotAllowed(f"A key of {client.asker.environment} runs nothing again in {run.environment}.")
    return run


def _again(value: Any) -> Again:
    if not isinstance(value, dict) or value.keys() != {"run", "step"}:
        raise BadInput('again names a run and a step of it: {"run": "run_…", "step": 4}.', param="again")
    step = value["step"]
    if not isinstance(value["run"], str) or isinstance(step, bool) or not isinstance(step, int):
        raise BadInput("again.run is a text, again.step a whole number.", param="again")
    return Again(value["run"][:60], step)


def _check(body: Any) -> tuple[float, Again | None]:
    """Return how many seconds to wait for the end, and what is run again; BadInput names what is wrong."""
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    if unknown := sorted(body.keys() - {"input", "wait", "again", "user", "metadata"}):
        names = "known are input, wait, again, user and metadata."
        raise BadInput(f"{unknown[0][:60]!r} is not a field here; {names}", param=unknown[0][:60])
    if "again" in body and "input" in body:
        raise BadInput(
            "A run that goes on from a step has the input of the earlier one; leave input out.", param="input"
        )
    if body.get("user") is not None:
        fields.text("user", body["user"])
    fields.check_members(body, fields.METADATA)
    wait = body.get("wait", 0)
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT:
        raise BadInput(f"wait is a number of seconds from 0 to {LONGEST_WAIT}.", param="wait")
    return float(wait), _again(body["again"]) if "again" in body else None


async def _wait(client: rows.Client, run: Run, seconds: float) -> Run:
    """Wait for the end, for a person to be asked, or for this process to stop; no connection is held in between."""
    latest = time.monotonic() + seconds
    async with waiting(client.request.receive) as pause:
        while not run.is_over and time.monotonic() < latest and not pause.is_stopping:
            await pause(_LOOK_SECONDS)
            if pause.has_left:
                raise ClientGone
            client = client.refreshed()
            run = await client.look(access.run_for, client.caller, run.public_id) or run
            if run.state == Run.State.WAITING and run.wake_at is None:
                break
    return run


async def retrieve(request: Request, send: Send, slug: str, run_id: str) -> None:
    client = await rows.authenticate(request, EventType.AGENT.value, f"{ROUTE}/{{run_id}}")

    def read() -> dict[str, Any]:
        run = run_of(client, slug, run_id)
        shape = visible_shape(client, run)
        if not access.may_read(client.caller, run):
            return shape
        steps = Step.objects.filter(run=run).order_by("number")[:500]
        return shape | {"steps": [step_shape(step) for step in steps]}

    await send_json(send, request, 200, orjson.dumps(await client.do(read)), [])


async def list_runs(request: Request, send: Send, slug: str) -> None:
    client = await rows.authenticate(request, EventType.AGENT.value, ROUTE)

    def read() -> dict[str, Any]:
        by = rows.paging(request, usual=20, most=100)
        agent = access.agent_for(client.caller, slug)
        runs = access.runs_for(client.caller).filter(agent=agent).select_related("agent__team", "version")

        return rows.page(runs, by, "run_", "run", lambda run: visible_shape(client, run))

    await send_json(send, request, 200, orjson.dumps(await client.do(read)), [])


async def cancel(request: Request, send: Send, slug: str, run_id: str) -> None:
    client = await rows.authenticate(request, EventType.AGENT.value, f"{ROUTE}/{{run_id}}/cancel")

    def cancel() -> Run:
        run = run_of(client, slug, run_id, to="cancel")
        cancel_run(actor=client.caller.actor, run=run)
        return access.run_for(client.caller, run.public_id)

    await send_json(send, request, 200, orjson.dumps(visible_shape(client, await client.do(cancel))), [])
