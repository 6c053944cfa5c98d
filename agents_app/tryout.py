"""Try the draft of an agent before it is published. The calls are recorded and count towards quotas."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents_app.definition import LIMITS, check_one_prompt, checked, fields_of
from agents_app.instructions import as_named_in_a_call, knowledge_of
from agents_app.models import Agent, AgentDraft, Definition
from console.core import strict_json
from console.core.connections import let_go
from console.core.errors import BadInput, ProviderError, Refusal
from console.gateway import sync
from console.gateway.answer_reader import AnswerReader
from console.gateway.asks import own_ask
from console.gateway.identity import PersonIdentity
from console.gateway.refusals import Identify
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
        values = strict_json.typed(text or "[]", "The talk")
    except BadInput:
        return []
    if not isinstance(values, list):
        return []
    turns = [{"role": value["role"], "content": value["content"][:LONGEST]} for value in values if _is_turn(value)]
    return turns[-MOST_TURNS:]


def _is_turn(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return value.get("role") in ("user", "assistant") and isinstance(value.get("content"), str)


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


def as_typed(draft: AgentDraft, fields: Mapping[str, Any]) -> AgentDraft:
    """Return a draft with these fields in place of its own, which nobody has saved."""
    typed = fields_of(draft) | checked(fields)
    check_one_prompt(typed)
    return AgentDraft(**typed)


def _ask(definition: Definition, turns: Sequence[Turn], route: str, client_address: str) -> Ask:
    body = body_of(definition, turns)
    return own_ask("chat", body, surface="playground", route=route, client_address=client_address)


def ask_draft(
    *, identify: Identify, definition: Definition, turns: list[Turn], question: str, route: str, client_address: str
) -> Tried:
    """Ask and wait for the answer, in the name of whoever asks; raises Refusal or ProviderError."""
    question = _plain(question)
    if not question:
        raise BadInput("Write a question first.", param="question")
    if not definition.alias:
        raise BadInput("Choose the alias it answers with.", param="alias")
    messages: list[Turn] = [*turns, {"role": "user", "content": question}]
    reader = AnswerReader()
    ask = _ask(definition, messages, route, client_address)
    let_go()
    call, raw = sync.answer(identify, ask)
    reader.read(raw)
    answered: Turn = {"role": "assistant", "content": reader.text}
    return Tried([*messages, answered], "", "", call.plan.ask.id, call.plan.version.label, call.cost_micros)


def talk_with_draft(
    *, person: User, agent: Agent, definition: Definition, turns: list[Turn], question: str, client_address: str
) -> Tried:
    """Ask as a person, for the agent's own team and in production as everybody will get it; say why there is no answer.

    The question is kept where there is none.
    """
    try:
        return ask_draft(
            identify=PersonIdentity(person.pk, agent.team_id, Environment.PRODUCTION),
            definition=definition,
            turns=turns,
            question=question,
            route=f"/agents/{agent.slug}/edit/",
            client_address=client_address,
        )
    except Refusal as refusal:
        return Tried(turns, refusal.message, _plain(question))
    except ProviderError as error:
        return Tried(turns, str(error), _plain(question))


def _plain(question: str) -> str:
    return question.replace("\x00", "").strip()[:LONGEST]
