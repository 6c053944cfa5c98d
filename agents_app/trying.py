"""Talk to a draft before it is published: as it is typed, through the one pipeline, on record and counted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from agents_app.definition import LIMITS
from agents_app.instructions import as_named_in_a_call, knowledge_of
from agents_app.models import Agent, Definition
from console.core import strict_json
from console.core.connections import let_go
from console.core.errors import BadInput, ProviderError, Refusal
from console.core.ids import time_of, uuid7
from console.gateway import sync
from console.gateway.asks import make_ask
from console.gateway.identity import PersonIdentity
from console.gateway.operations import OPERATIONS
from console.gateway.reading import AnswerReader
from console.gateway.types import Ask
from console.teams.models import Environment, User

MOST_TURNS, LONGEST = 20, 20_000

Turn = dict[str, str]


@dataclass(frozen=True, slots=True)
class Tried:
    """A talk with a draft so far; `trouble` says why there is no answer to the last question, which is kept."""

    turns: list[Turn] = field(default_factory=list)
    trouble: str = ""
    question: str = ""
    call_id: Any = None
    model: str = ""
    cost_micros: int = 0

    @property
    def kept(self) -> str:
        """The talk as the page sends it back with the next question."""
        return json.dumps(self.turns)


def turns_from(text: str) -> list[Turn]:
    """Return a talk as the page sent it; what is none begins a new one."""
    try:
        given = strict_json.typed(text or "[]", "The talk")
    except BadInput:
        return []
    if not isinstance(given, list):
        return []
    turns = [{"role": one["role"], "content": one["content"][:LONGEST]} for one in given if _is_turn(one)]
    return turns[-MOST_TURNS:]


def _is_turn(one: Any) -> bool:
    return isinstance(one, dict) and one.get("role") in {"user", "assistant"} and isinstance(one.get("content"), str)


def body_of(definition: Definition, turns: Sequence[Turn]) -> dict[str, Any]:
    """Return what is asked: what a published version's call becomes, with its prompt and alias named outright."""
    most = definition.limits.get("messages") or LIMITS["messages"]
    body: dict[str, Any] = {**definition.parameters, "model": definition.alias, "messages": list(turns[-most:])}
    if prompt := as_named_in_a_call(definition):
        body["prompt"] = prompt
    if knowledge := knowledge_of(definition):
        body["knowledge"] = knowledge
    if tokens := definition.limits.get("output_tokens"):
        body["max_tokens"] = tokens
    return body


def _ask(agent: Agent, definition: Definition, turns: Sequence[Turn], client_address: str) -> Ask:
    value, text = strict_json.loads(orjson.dumps(body_of(definition, turns)))
    identifier = uuid7()
    return make_ask(
        "chat",
        OPERATIONS["chat"].check(value),
        text=text,
        id=identifier,
        at=time_of(identifier),
        surface="playground",
        route=f"/agents/{agent.slug}/edit/",
        client_address=client_address,
    )


def ask_draft(
    *, person: User, agent: Agent, definition: Definition, turns: list[Turn], question: str, client_address: str = ""
) -> Tried:
    """Ask and wait for the answer; it counts for the agent's own team, in production as everybody will get it."""
    question = question.replace("\x00", "").strip()[:LONGEST]
    if not question:
        return Tried(turns, "Write a question first.")
    if not definition.alias:
        return Tried(turns, "Choose the alias it answers with.", question)
    asked: list[Turn] = [*turns, {"role": "user", "content": question}]
    reader = AnswerReader()
    try:
        ask = _ask(agent, definition, asked, client_address)
        let_go()
        call, raw = sync.answer(PersonIdentity(person.pk, agent.team_id, Environment.PRODUCTION), ask)
        reader.whole(raw)
    except Refusal as refusal:
        return Tried(turns, refusal.message, question)
    except ProviderError as error:
        return Tried(turns, str(error), question)
    answered: Turn = {"role": "assistant", "content": reader.text}
    return Tried([*asked, answered], "", "", call.plan.ask.id, call.plan.version.label, call.cost_micros)
