"""Load a recorded call into the playground, to change and repeat it."""

import json
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from console.audit.models import AuditEvent, EventType, Payload, Status
from console.audit.sql import search
from console.core import formatting
from console.core.errors import BadInput, Refusal
from console.core.ids import request_id
from console.evals import answers
from console.evals.records import OPERATION_OF, REASONS, NotReplayable, Reader
from console.gateway.messages.request import chat_request as of_message
from console.gateway.responses.request import chat_request as of_response
from console.playground import choices
from console.playground.bench import LONGEST_MESSAGE, MOST_TURNS, PARAMETERS, ROLES, Bench, SetUp, Turn
from console.playground.requests import SAID_HERE
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app import access
from prompts_app.models import Prompt
from usage_app import access_audit
from usage_app.services.audit import read_content

_OPERATION_OF = {**OPERATION_OF, EventType.PLAYGROUND.value: "chat"}
# Set by fields of the page, or of the one who was asked for then.
_NOT_ALONG = SAID_HERE | PARAMETERS.keys() | {"max_completion_tokens", "user", "safety_identifier", "prompt_cache_key"}


class Opened(NamedTuple):
    """`said` is what the page says of it: what is not as it was."""

    bench: Bench
    prompt: Prompt | None
    said: list[str]


def event_for(request: TeamRequest, reference: str) -> AuditEvent:
    """Return a call whose content the person may read."""
    return access_audit.event_for(request.caller, reference, to="read_content")


def opened(request: TeamRequest, event: AuditEvent, team: Team) -> Opened:
    """Return the page with what a call said, and with what was answered. That it was read is recorded."""
    operation = _OPERATION_OF.get(event.type)
    if operation is None:
        raise BadInput("Only calls that ask a model for words can be asked again here.", param="record")
    kept = search.payloads([event.pk]).get(event.pk, {})
    read_content(actor=request.caller.actor, event=event)
    try:
        body, given = Reader().asked(operation, event, kept.get("input"))
        prompt, said = _prompt(request, given)
        chat = _chat(operation, body, given, prompt)
    except NotReplayable as reason:
        raise BadInput(f"This call cannot be asked again: it is {REASONS[reason.reason]}.", param="record") from None
    except BadInput as wrong:
        raise BadInput(f"This call cannot be asked again here. {wrong.message}", param="record") from None
    if operation == "completion":
        said.append("It was a text to go on with, and is asked as a message here.")
    if kept["input"].redactions:
        said.append("Secrets were taken out of it before it was kept.")
    turns, message = _turns(chat["messages"])
    if len(turns) > MOST_TURNS:
        raise BadInput(f"This call has {len(turns):,} messages; the playground shows {MOST_TURNS}.", param="record")
    extra = {name: value for name, value in chat.items() if name not in _NOT_ALONG and value is not None}
    set_up = SetUp(
        "a",
        version=str(given["number"]) if prompt else "",
        model=_model(request, event, team),
        parameters=_parameters(chat),
        **_answered(operation, event, kept.get("output")),
    )
    bench = Bench(
        team=team.slug,
        slug=prompt.slug if prompt else "",
        message=message,
        values={name: formatting.as_text(value) for name, value in given["variables"].items()} if prompt else {},
        set_ups=(set_up,),
        turns=turns,
        extra=json.dumps(extra, ensure_ascii=False) if extra else "",
        record=request_id(event.pk),
    )
    return Opened(bench, prompt, said)


def _prompt(request: TeamRequest, given: dict[str, Any]) -> tuple[Prompt | None, list[str]]:
    """Return the prompt the call named, if the person may use it; else its words stand among the messages."""
    if not given:
        return None, []
    try:
        prompt = access.prompt_for(request.caller, given["slug"])
        access.version_for(prompt, given["number"])
    except Refusal:
        return None, [f"The prompt {given['slug']} is not yours to use."]
    return prompt, []


def _chat(operation: str, body: dict[str, Any], given: dict[str, Any], prompt: Prompt | None) -> dict[str, Any]:
    """Return the call as a chat completion, without the messages of a prompt that is named beside it."""
    if operation == "completion":
        if not isinstance(body.get("prompt"), str):
            raise NotReplayable("shape")
        return {**body, "messages": [{"role": "user", "content": body["prompt"]}]}
    if operation == "response":
        body = {name: value for name, value in body.items() if name != "prompt"}
        chat = of_response({"input": [], **body}, can_reason=True, keeps_thoughts=False)
        return {**chat, "max_tokens": body.get("max_output_tokens")}
    if operation == "message":
        # What the system says is one text there, the prompt's own among it.
        return of_message(body, can_reason=True)
    return {**body, "messages": body.get("messages", [])[given["messages"] if prompt else 0 :]}


def _turns(messages: list[Any]) -> tuple[tuple[Turn, ...], str]:
    """Return the messages before the last, and the last where it is a person's words."""
    turns = [_turn(message) for message in messages]
    last = turns[-1] if turns else None
    if last is None or last.raw or last.role != "user" or len(last.text) > LONGEST_MESSAGE:
        return tuple(turns), ""
    return tuple(turns[:-1]), last.text


def _turn(message: dict[str, Any]) -> Turn:
    role, content = str(message.get("role", "")), message.get("content")
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0].get("text") if content[0].keys() == {"type", "text"} else content
    if role in ROLES and isinstance(content, str) and message.keys() == {"role", "content"}:
        return Turn(role, content)
    return Turn(role, raw=json.dumps(message, ensure_ascii=False))


def _parameters(chat: dict[str, Any]) -> dict[str, str]:
    found = {name: chat[name] for name in PARAMETERS if chat.get(name) is not None}
    if chat.get("max_completion_tokens"):
        found["max_tokens"] = chat["max_completion_tokens"]
    return {name: str(value) for name, value in found.items()}


def _model(request: TeamRequest, event: AuditEvent, team: Team) -> str:
    """Return what was asked then, as the page names it; nothing where the person may not ask it."""
    offered = {one.value for one in choices.models(request.caller, team)}
    alias = event.alias.partition("@")[0]
    named = (event.alias, f"{event.alias}@{event.environment}", f"{alias}@{event.environment}", event.model)
    return next((one for one in named if one in offered), "")


def _answered(operation: str, event: AuditEvent, payload: Payload | None) -> dict[str, Any]:
    """Return what was answered, to stand beside what will be; nothing of what was refused, or is not kept whole."""
    if event.status != Status.OK or payload is None or payload.is_cut:
        return {}
    try:
        answer = answers.read(operation, payload.body.encode()).text
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return {}
    tokens = (event.prompt_tokens or 0) + (event.completion_tokens or 0)
    figures = {
        "first": f"{formatting.duration(event.first_token_us)} first token" if event.first_token_us is not None else "",
        "total": formatting.duration(event.latency_us) if event.latency_us is not None else "",
        "tokens": f"{formatting.tokens(tokens)} tokens" if tokens else "",
        "cost": formatting.money(event.cost_micros, settings.CURRENCY) if event.cost_micros is not None else "",
        "note": "As it was answered then.",
        "request": request_id(event.pk),
    }
    return {"answer": answer, "figures": figures}
