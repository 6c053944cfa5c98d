"""Render a prompt of the library in front of the messages of a call.

A warm call asks the database nothing: labels are in the snapshot, versions in the process. A version is read from the
database when it takes part for the first time in this process, and never again, for it never changes.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
import psycopg
from django.db import Error

from console.core.connections import in_thread
from console.core.errors import BadInput, Refusal
from console.gateway.errors import AgentNotReady, DatabaseAway
from console.gateway.shapes import prompt_ref
from console.gateway.snapshot import Snapshot
from console.gateway.types import Ask, Asker, RenderedPrompt
from prompts_app import shapes
from prompts_app.errors import NotCallable
from prompts_app.rendering import Filled, NotRead, fill, is_callable, not_there
from prompts_app.shapes import Finder, Key

_TAKES_PROMPTS = frozenset({"chat", "message", "response"})
_SYSTEM = frozenset({"system", "developer"})


async def with_prompt(snapshot: Snapshot, asker: Asker, ask: Ask) -> Ask:
    """Return the ask with its prompt's messages in front; the same ask when it names no prompt.

    The instructions of an agent are read as its own team sees them: that is what its team shares.
    """
    if ask.operation not in _TAKES_PROMPTS or "prompt" not in ask.body:
        return ask
    if ask.agent is None:
        return await _with_prompt_of(snapshot, asker.team.id, asker, ask)
    try:
        return await _with_prompt_of(snapshot, ask.agent.team_id, asker, ask)
    except DatabaseAway:
        raise
    except Refusal as refusal:
        is_inside = asker.team.id == ask.agent.team_id
        raise AgentNotReady(ask.agent.slug, refusal.message, is_inside=is_inside) from refusal


async def _with_prompt_of(snapshot: Snapshot, team_id: uuid.UUID, asker: Asker, ask: Ask) -> Ask:
    named = prompt_ref.read(ask.body["prompt"])
    messages = list(ask.history) or ask.body.get("input" if ask.operation == "response" else "messages", [])
    finder = Finder(snapshot.prompts.prompts, snapshot.closed_teams)
    while True:
        try:
            filled = fill(
                finder,
                team_id,
                named.ref,
                asker.environment,
                named.variables,
                text_role="system" if messages else "user",
            )
            break
        except NotRead as missing:
            if not await _read(missing.key):
                raise not_there(missing, named.ref) from None
    if not is_callable(filled.version.kind):
        raise NotCallable(filled.version.slug)
    body = {name: value for name, value in ask.body.items() if name != "prompt"}
    if ask.operation == "message":
        _prepend(body, filled.rendered.messages, messages)
    elif ask.operation == "response":
        body |= {"messages": list(filled.rendered.messages), "prompt": ask.body["prompt"]}  # which the answer repeats
    else:
        body["messages"] = [*filled.rendered.messages, *messages]
    # The log keeps both: the request, and the text rendered from it.
    text = orjson.dumps({**body, "prompt": ask.body["prompt"]}).decode()
    return replace(ask, body=body, text=text, prompt=_rendered(filled, named.ref.label))


def _prepend(body: dict[str, Any], rendered: Sequence[Mapping[str, Any]], messages: list[Any]) -> None:
    """Put a prompt's messages into a body of Anthropic's shape, where what the system says has a place of its own."""
    system = [{"type": "text", "text": message["content"]} for message in rendered if message["role"] in _SYSTEM]
    own_system = body.get("system") or []
    if system:
        body["system"] = [
            *system,
            *([{"type": "text", "text": own_system}] if isinstance(own_system, str) else own_system),
        ]
    body["messages"] = [*(dict(message) for message in rendered if message["role"] not in _SYSTEM), *messages]
    if not body["messages"]:
        raise BadInput("The prompt says nothing a user could have said; send messages beside it.", param="messages")


def _rendered(filled: Filled, label: str | None) -> RenderedPrompt:
    took_part = [dict(part) for part in filled.rendered.took_part]
    if label:
        took_part[0]["label"] = label
    return RenderedPrompt(filled.version.ref, orjson.dumps(took_part).decode(), filled.version.parameters)


async def _read(key: Key) -> bool:
    """Read a version into this process; False when there is none."""
    try:
        return await in_thread(lambda: bool(shapes.read([key])))
    except (Error, psycopg.Error) as error:
        raise DatabaseAway from error
