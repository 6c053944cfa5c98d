"""Call the model once for a run."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from agents_app import hooks
from agents_app.engine.answers import Answer, read_answer
from agents_app.instructions import knowledge_of
from agents_app.models import Definition, Run, Step, Tool
from console.audit.models import EventType
from console.core.errors import ProviderError, Refusal
from console.gateway import pipeline
from console.gateway.asks import own_ask
from console.gateway.errors import AnswerUnrecorded, QuotaExceeded
from console.gateway.refusals import Identify
from console.gateway.types import AnsweringAgent, Ask, Call

log = logging.getLogger(__name__)
SURFACE = "agent"
# A model that fails is asked so often for one answer.
MOST_ATTEMPTS = 3
_PAUSE, _LONGEST_WAIT = 2.0, 300.0


class ModelAnswer(NamedTuple):
    answer: Answer
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int


class Trouble(NamedTuple):
    """No answer. With `wait` it is tried again after so many seconds; `counts`: not more than a few times."""

    code: str
    sentence: str
    wait: float | None = None
    counts: bool = True


class Unknown(NamedTuple):
    """The call may have been made, but its end could not be read; the log will say."""


Outcome = ModelAnswer | Trouble | Unknown


@dataclass(slots=True)
class Line:
    """What the thread that waits for a call holds of it, to cut it off."""

    call: Call | None = None
    cut_off: str = ""


def ask_for(
    run: Run,
    definition: Definition,
    step: Step,
    messages: Sequence[dict[str, Any]],
    tools: Sequence[Tool],
    most_output: int | None,
) -> Ask:
    """Return the call of one turn: the version the run began with, its prompt by number, and the tools it may see."""
    body: dict[str, Any] = {
        **definition.parameters,
        "model": f"{definition.alias}@{run.environment}",
        "messages": list(messages),
    }
    if run.prompt:
        body["prompt"] = run.prompt
    if knowledge := knowledge_of(definition):
        body["knowledge"] = knowledge
    if tools:
        body["tools"] = [_offered(tool) for tool in tools]
    assert step.request_id is not None
    ask = own_ask(
        "chat",
        body,
        id=step.request_id,
        type=EventType.AGENT,
        surface=SURFACE,
        route="",
        client_address=run.client_address,
        client_request_id=run.public_id,
        end_user=run.end_user,
        metadata=run.metadata,
    )
    number = run.version.number if run.version else 0
    version_id = run.version_id or run.agent_id
    agent = AnsweringAgent(run.agent_id, run.agent.slug, version_id, number, run.agent.team_id, most_output)
    return replace(ask, agent=agent)


def _offered(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.slug, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


async def ask_model(identify: Identify, ask: Ask, line: Line, *, latest: float) -> Outcome:
    """Make the call. After `latest` (monotonic) another worker may have the run, so nothing begins any more."""
    if line.cut_off:
        return Unknown()
    try:
        await hooks.before_model_call(ask)
        line.call = await pipeline.open_by(identify, ask, latest)
        if line.call is None:
            return Unknown()
        line.call.cut_off = line.cut_off
        body = await pipeline.answer(line.call)
        await hooks.after_model_call(ask, body)
    except hooks.HookFailed as stopped:
        return Trouble("hook_failed", stopped.sentence)
    except AnswerUnrecorded:
        return Unknown()
    except Refusal as refusal:
        return _of_refusal(refusal)
    except ProviderError as error:
        return _of_provider(error)
    except Exception:
        log.exception("The model of a run could not be asked.")
        return Trouble("internal_error", "Something broke on our side.", _PAUSE)
    return answered(body, line.call.plan.version.label, line.call.cost_micros)


async def show_again(ask: Ask, body: bytes) -> Trouble | None:
    """Show an answer from the log to the hooks, as nobody knows whether they have seen it; they may stop it."""
    try:
        await hooks.after_model_call(ask, body)
    except hooks.HookFailed as stopped:
        return Trouble("hook_failed", stopped.sentence)
    return None


def answered(body: bytes, model: str, cost_micros: int) -> Outcome:
    """Return what a recorded answer says, or that nobody can read it."""
    try:
        answer = read_answer(body)
    except ValueError:
        return Trouble("upstream_invalid", "The model's answer cannot be read.", _PAUSE)
    usage = orjson.loads(body).get("usage") or {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if isinstance(count, int) and 0 < count < 2**31 else 0 for count in counts)
    return ModelAnswer(answer, model, prompt, completion, cost_micros)


def _of_refusal(refusal: Refusal) -> Trouble:
    """Say what a refusal means: a rate limit passes, a spent budget or a lost right does not."""
    passes = refusal.status == 503 or (isinstance(refusal, QuotaExceeded) and refusal.code == "rate_limit_exceeded")
    if passes:
        return Trouble(refusal.code, refusal.message, min(refusal.retry_after or _PAUSE, _LONGEST_WAIT), counts=False)
    said = getattr(refusal, "reason", "") or refusal.message
    return Trouble(refusal.code, said if refusal.status in {401, 403} else refusal.message)


def _of_provider(error: ProviderError) -> Trouble:
    if error.permanent or error.status < 500:
        return Trouble(error.code, error.message)
    return Trouble(error.code, error.message, min(error.retry_after or _PAUSE, _LONGEST_WAIT))
