"""`model="agent:<short name>"` of an agent with tools: the request starts a run, and is answered with its last word.

1. The messages become the input of the run; the same Idempotency-Key finds the run it started before.
2. The answer waits for the end. A client that leaves leaves the run going: it is durable, and has an address.
3. A run that asks a person is answered at once: a sentence that says so, and the run's id to look again.
4. A process that is told to stop says that the run continues, as an error: what is no answer must not be read as one.
   One whose database is away waits for it: clients try a 503 again by themselves, which would start another run.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from agents_app import access
from agents_app.errors import UnknownAgent
from agents_app.models import Run
from agents_app.queries.run_state import is_for, run_said, tokens_of, waits_for
from agents_app.services.runs import Origin, start_run
from console.api.idempotency import KeyReused, check_key
from console.api.v1 import rows
from console.api.v1.replay import as_stream
from console.api.v1.request import ClientGone, Headers, Request
from console.api.v1.sending import Send, dropped_header, error_body, send_json
from console.api.v1.stream import stream_headers
from console.api.v1.waits import waiting
from console.audit.models import EventType
from console.core import sse
from console.core.errors import BadInput, Conflict, NotAllowed, Refusal, Unavailable
from console.gateway import pipeline
from console.gateway.agents import PREFIX
from console.gateway.errors import unknown_model
from console.gateway.types import Ask
from console.gateway.unknown_fields import apply_policy, names_of

Messages = Sequence[tuple[str, str]]  # role and text

_LOOK_SECONDS, _RETRY_AFTER = 0.25, 2
# What of a request concerns a run.
_TAKEN = frozenset({"model", "messages", "n", "stream", "stream_options"})
# What a run has of its own, or cannot give.
_NOT_TAKEN = ("prompt", "knowledge", "tools", "tool_choice", "functions", "function_call", "response_format")


class RunFailed(Conflict):
    """The run ended without an answer. Not a status that clients try again by themselves: that would be another run."""

    status, code, type = 422, "run_failed", "api_error"


class RunGoesOn(RunFailed):
    """This process stops while the run continues: to ask again would start another."""

    code = "run_goes_on"


class RunIsFoundAgain(RunGoesOn):
    """The same, of a request with an Idempotency-Key, which finds its run: clients may try again by themselves."""

    status = Unavailable.status


class Progress(NamedTuple):
    """A run as one look found it."""

    run: Run
    asks: str = ""  # what it asks a person, if that is what it waits for
    tokens: tuple[int, int] = (0, 0)


async def has_tools(ask: Ask) -> bool:
    """Return whether a request names an agent with tools, as far as this process knows; admission knows for certain.

    Whether the caller may use it is asked later.
    """
    if not ask.may_run or not ask.model.startswith(PREFIX):
        return False
    snapshot = await pipeline.current_gateway().snapshots.get()
    agent = snapshot.agents.get(_slug(ask.model)[0])
    return agent is not None and agent.has_tools


async def answer_by_run(request: Request, send: Send, ask: Ask) -> None:
    client = await rows.authenticate(request, EventType.AGENT.value, ask.route)
    run = await client.do(_start, client, ask)
    headers = [(b"x-facet-run", run.public_id.encode()), (b"x-facet-agent", run.agent.slug.encode())]
    # A run calls its models in its own way, whatever the key's word: the rest goes no further.
    headers += dropped_header(names_of(k for k, v in ask.body.items() if v is not None and k not in _TAKEN))
    beat = _Beat(request, send, headers) if ask.is_stream else None
    try:
        progress = await wait_for(client, run, beat)
        if progress.run.state in {Run.State.FAILED, Run.State.CANCELLED}:
            raise failed(progress.run)
    except Refusal as refusal:
        if beat is None or not beat.is_started:
            raise
        await beat.end(sse.frame(error_body(refusal.message, kind=refusal.type, code=refusal.code)))
        return
    answer = _answer(ask, progress)
    if beat is not None:
        await beat.end(as_stream(answer, include_usage=ask.include_usage))
        return
    await send_json(send, request, 200, orjson.dumps(answer), headers)


class _Beat:
    """The response of a stream that has nothing to say before the run is over: pings keep it open."""

    def __init__(self, request: Request, send: Send, headers: Headers) -> None:
        self._request, self._send = request, send
        self._headers = stream_headers(request, headers)
        self._last = time.monotonic()
        self.is_started = False

    async def _start(self) -> None:
        if not self.is_started:
            self.is_started = self._request.is_answered = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})

    async def keep(self) -> None:
        if time.monotonic() - self._last > settings.GATEWAY_HEARTBEAT_SECONDS:
            self._last = time.monotonic()
            await self._start()
            await self._send({"type": "http.response.body", "body": sse.PING, "more_body": True})

    async def end(self, frames: bytes) -> None:
        await self._start()
        await self._send({"type": "http.response.body", "body": frames})


def _slug(model: str) -> tuple[str, str]:
    slug, _, environment = model.removeprefix(PREFIX).partition("@")
    return slug, environment


def _start(client: rows.Client, ask: Ask) -> Run:
    def messages() -> list[tuple[str, str]]:
        return [(str(message.get("role", "user")), _text(message)) for message in ask.body.get("messages", [])]

    return start(client, ask, messages, trigger=Run.Trigger.CHAT, not_taken=_NOT_TAKEN, param="messages")


def start(
    client: rows.Client,
    ask: Ask,
    messages: Callable[[], Messages],
    *,
    trigger: str,
    not_taken: Sequence[str],
    param: str,
) -> Run:
    """Start a run with the `messages` in the field `param` of the request; they are read once access is checked."""
    ask = apply_policy(client.asker, ask)
    slug, environment = _slug(ask.model)
    try:
        agent = access.agent_for(client.caller, slug, "use")
    except UnknownAgent:
        raise unknown_model(ask.model) from None
    if unsupported := next((name for name in not_taken if ask.body.get(name) is not None), None):
        why = f"{ask.model} works by itself, with its own instructions and tools; leave {unsupported} out."
        raise BadInput(why, param=unsupported)
    if ask.body.get("n", 1) != 1:
        raise BadInput("A run has one answer; leave n out.", param="n")
    key_environment = client.asker.environment
    if environment == "production" and key_environment != "production":
        raise NotAllowed("A sandbox key cannot run agents in production.", param="model")
    input = _input(agent.live.input_schema if agent.live else None, messages(), param)
    key = client.request.idempotency_key
    digest = hashlib.sha256(check_key(key).encode()).hexdigest() if key is not None else None
    run = start_run(
        actor=client.caller.actor,
        agent=agent,
        input=input,
        environment=environment or key_environment,
        origin=Origin(
            trigger,
            dedupe_key=f"{trigger}:{client.caller.first_key}:{digest}" if digest else None,
            called_by=run_said(client.request.calling_run),
            end_user=ask.end_user,
            metadata=ask.metadata,
        ),
    )
    if run.input != input or not is_for(run, ask.end_user):
        raise KeyReused("This Idempotency-Key has started a run with another input, or for another end user.")
    run.agent = agent
    return run


def _input(schema: dict[str, Any] | None, texts: Messages, param: str) -> dict[str, Any]:
    """Return what the run is given: the message, after what was said before it; an object where the agent wants one."""
    if not texts or texts[-1][0] != "user":
        raise BadInput("The last message must be the user's: it is what the run is about.", param=param)
    if schema is not None:
        try:
            value = orjson.loads(texts[-1][1])
        except orjson.JSONDecodeError:
            raise BadInput(
                "This agent takes a JSON object as its message; see its input schema.", param=param
            ) from None
        return dict(value) if isinstance(value, dict) else {"": value}
    if len(texts) == 1:
        return {"message": texts[0][1]}
    before = "\n\n".join(f"{role}: {text}" for role, text in texts[:-1])
    return {"message": f"What was said before:\n\n{before}\n\nNow:\n\n{texts[-1][1]}"}


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    if any(not isinstance(part, dict) or part.get("type") != "text" for part in parts):
        raise BadInput("Runs take text only; leave out images and audio.", param="messages")
    return "\n".join(str(part.get("text", "")) for part in parts)


async def wait_for(client: rows.Client, run: Run, beat: _Beat | None = None) -> Progress:
    """Wait until the run is over or asks a person; RunGoesOn when this process stops before."""
    async with waiting(client.request.receive) as pause:
        while True:
            client = client.refreshed()
            progress = await client.look(_look, run)
            if progress is not None and (progress.run.is_over or progress.asks):
                return progress
            if pause.is_stopping:
                raise _goes_on(run, has_key=client.request.idempotency_key is not None)
            if beat is not None:
                await beat.keep()
            await pause(_LOOK_SECONDS if progress is not None else rows.AWAY_SECONDS)
            if pause.has_left:
                raise ClientGone


def _look(run: Run) -> Progress:
    current = Run.objects.select_related("version", "agent").get(pk=run.pk)
    if current.state != Run.State.WAITING and not current.is_over:
        return Progress(current)
    return Progress(current, waits_for(current), tokens_of(current))


def failed(run: Run) -> RunFailed:
    message = f"{run.public_id} {run.get_state_display().lower()}. {run.trouble}".strip()
    return RunFailed(message, code=run.code or RunFailed.code, headers={"X-Facet-Run": run.public_id})


def _goes_on(run: Run, *, has_key: bool) -> RunGoesOn:
    how = "Ask again with the same Idempotency-Key" if has_key else "Asking again would start another"
    message = (
        f"This console stops, and {run.public_id} goes on by itself. {how};"
        f" GET /v1/agents/{run.agent.slug}/runs/{run.public_id} says how far it is."
    )
    headers = {"X-Facet-Run": run.public_id}
    return (
        RunIsFoundAgain(message, retry_after=_RETRY_AFTER, headers=headers)
        if has_key
        else RunGoesOn(message, headers=headers)
    )


def _answer(ask: Ask, progress: Progress) -> dict[str, Any]:
    run = progress.run
    text = str((run.output or {}).get("text", ""))
    if progress.asks:
        text = (
            f"This waits for a person's decision about {progress.asks} and goes on by itself then."
            f" It is {run.public_id}: GET /v1/agents/{run.agent.slug}/runs/{run.public_id} says how far it is."
        )
    prompt, completion = progress.tokens
    return {
        "id": f"chatcmpl-{run.pk.hex}",
        "object": "chat.completion",
        "created": int(run.created_at.timestamp()),
        "model": ask.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    }
