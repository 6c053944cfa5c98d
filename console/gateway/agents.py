"""Agents as models: `model="agent:<slug>"` is answered with the agent's instructions, alias, parameters and limits.

What an agent is stands in a room above. It registers a source of shapes here when the process starts
(`AppConfig.ready`), which each snapshot reads, so a published version answers from the next call on.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from console.catalog.shapes import AliasShape
from console.core.errors import BadInput
from console.gateway.errors import AgentNotReady, NeedsRun, unknown_model
from console.gateway.types import AnsweringAgent, Ask, Asker

if TYPE_CHECKING:
    from console.gateway.snapshot import Snapshot

PREFIX = "agent:"
_IN_MESSAGES = frozenset({"temperature", "top_p", "top_k"})


@dataclass(frozen=True, slots=True)
class AgentShape:
    """An agent with the version that answers now. `prompt` is what a body's `prompt` would be, None without one."""

    id: uuid.UUID
    slug: str
    team_id: uuid.UUID
    is_for_all: bool
    team_ids: frozenset[uuid.UUID]  # besides its own
    created_at: dt.datetime
    version_id: uuid.UUID
    number: int
    prompt: dict[str, Any] | None
    alias: str
    parameters: dict[str, Any]
    most_output: int | None  # tokens of an answer
    most_messages: int | None  # of one call, those of the instructions not counted
    has_tools: bool = False  # then it answers by runs, not by calls
    knowledge: dict[str, Any] | None = None  # what a body's `knowledge` would be

    @property
    def model(self) -> str:
        return f"{PREFIX}{self.slug}"

    def is_for(self, team_id: uuid.UUID) -> bool:
        return self.is_for_all or team_id == self.team_id or team_id in self.team_ids


Agents = dict[str, AgentShape]  # by slug
SOURCES: list[Callable[[], Agents]] = []


def agent_shapes() -> Agents:
    """Return every agent that answers, from all sources."""
    return {slug: shape for source in SOURCES for slug, shape in source().items()}


def alias_of(agent: AgentShape, aliases: Mapping[str, AliasShape], asker: Asker) -> AliasShape | None:
    """Return the alias an agent answers with, if the caller may call that too.

    Sharing an agent gives its instructions away, not the models operators keep for some teams or keys.
    """
    alias = aliases.get(agent.alias)
    if alias is None or not alias.is_for(asker.team.id) or (asker.aliases and alias.name not in asker.aliases):
        return None
    return alias


def with_agent(snapshot: "Snapshot", asker: Asker, ask: Ask) -> Ask:
    """Return the ask as the agent it names would put it; the same ask when it names none."""
    if not ask.model.startswith(PREFIX):
        return ask
    slug, at, environment = ask.model.removeprefix(PREFIX).partition("@")
    agent = snapshot.agents.get(slug)
    if agent is None or not agent.is_for(asker.team.id):
        raise unknown_model(ask.model)
    _check_kind(agent, slug, ask)
    if alias_of(agent, snapshot.aliases, asker) is None:
        raise AgentNotReady(slug, f"it answers with the alias {agent.alias!r}, which this key may not call")
    _check_body(agent, ask)
    mine = agent.parameters
    if ask.operation == "message":  # which has names of its own for the rest, and does not know most of it
        mine = {name: value for name, value in mine.items() if name in _IN_MESSAGES}
    body = {**mine, **ask.body}
    if agent.prompt is not None:
        body["prompt"] = agent.prompt
    if agent.knowledge is not None:
        body["knowledge"] = agent.knowledge
    answering = AnsweringAgent(agent.id, slug, agent.version_id, agent.number, agent.team_id, agent.most_output)
    return replace(ask, model=f"{agent.alias}{at}{environment}", body=body, agent=answering)


def _check_kind(agent: AgentShape, slug: str, ask: Ask) -> None:
    """Refuse what is asked of no agent, or of one with tools, which is started as a run."""
    if ask.operation not in {"chat", "message", "response"}:
        raise BadInput("Agents answer at /v1/chat/completions, /v1/messages and /v1/responses.", param="model")
    if agent.has_tools:
        raise NeedsRun(
            f"{ask.model} works with tools, so it is started as a run: on its page, or with a key at"
            f" /v1/chat/completions, /v1/responses and /v1/agents/{slug}/runs.",
            param="model",
        )


def _check_body(agent: AgentShape, ask: Ask) -> None:
    """Refuse what an agent has of its own, and a conversation longer than it takes."""
    if "prompt" in ask.body:
        raise BadInput("An agent has its own instructions; leave prompt out.", param="prompt")
    if "knowledge" in ask.body:
        raise BadInput("An agent answers from the documents it was given; leave knowledge out.", param="knowledge")
    field = "input" if ask.operation == "response" else "messages"
    messages = ask.body.get(field, ())
    count = len(ask.history) + (1 if isinstance(messages, str) else len(messages))
    if agent.most_messages is not None and count > agent.most_messages:
        raise BadInput(
            f"{ask.model} takes at most {agent.most_messages:,} messages; this request has {count:,}."
            " Leave out the oldest.",
            param=field,
        )
