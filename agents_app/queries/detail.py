"""One agent: its versions, the history of its live version, and the differences between two."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents_app.grants.parsing import grants_of
from agents_app.instructions import ref_of, rendered
from agents_app.limit_text import limit_text
from agents_app.models import Agent, AgentMove, AgentVersion, Definition
from agents_app.queries.grants import in_words
from console.core.errors import Refusal
from console.core.formatting import as_text
from console.core.size import estimate_tokens
from prompts_app.queries.comparison import MessageDiff, compare_texts
from prompts_app.queries.text import title_of

MOST_VERSIONS = 50
MOST_MOVES = 20
LIMIT_TITLES = {
    "output_tokens": "Max output tokens",
    "messages": "Messages per call",
    "passages": "Passages per call",
    "steps": "Steps per run",
    "model_calls": "Model calls",
    "tool_calls": "Tool calls",
    "tokens": "Tokens per run",
    "cost_micros": "Cost per run",
    "seconds": "Working time per run",
    "identical_calls": "Identical calls in a row",
    "approval_seconds": "Approval timeout",
    "escalate_seconds": "Escalate approvals after",
}


def versions_of(agent: Agent) -> list[AgentVersion]:
    """Return the newest versions, newest first."""
    return list(AgentVersion.objects.filter(agent=agent)[:MOST_VERSIONS])


def moves_of(agent: Agent) -> list[AgentMove]:
    return list(AgentMove.objects.filter(agent=agent).select_related("from_version", "to_version")[:MOST_MOVES])


@dataclass(frozen=True, slots=True)
class ShownState:
    """The instructions as a call in production gets them; `problem` says why there are none."""

    ref: str
    messages: list[tuple[str, str]]  # role for people, text
    tokens: int
    problem: str = ""


def instructions(agent: Agent, definition: Definition) -> ShownState:
    try:
        filled = rendered(agent.team_id, definition)
    except Refusal as refusal:
        return ShownState(str(ref_of(definition)), [], 0, refusal.message)
    if filled is None:
        return ShownState("", [], 0, "No prompt is chosen yet.")
    texts = [(title_of(message["role"]), str(message["content"])) for message in filled.rendered.messages]
    return ShownState(filled.version.ref, texts, estimate_tokens("\n".join(text for _, text in texts)))


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing two states say differently; an empty side says nothing about it. `words` compares texts by line."""

    name: str
    was: str
    now: str
    words: MessageDiff | None = None


def differences(old: Definition | None, new: Definition, team_id: uuid.UUID) -> list[Difference]:
    """Return what differs, in the order of the pages, wording first; without an old state everything is new.

    Wording is what production would get now: of a label it is the text the label stands on.
    """
    was, now = _lines(old) if old else {}, _lines(new)
    names = dict.fromkeys([*now, *was])
    found = [Difference(n, was.get(n, ""), now.get(n, "")) for n in names if was.get(n, "") != now.get(n, "")]
    before, after = _wording(old, team_id) if old else "", _wording(new, team_id)
    if before == after:
        return found
    return [Difference("Instructions", before, after, compare_texts("Instructions", before, after)), *found]


def _wording(definition: Definition, team_id: uuid.UUID) -> str:
    """Return the instructions in one text; nothing where a call could not get them."""
    try:
        filled = rendered(team_id, definition)
    except Refusal:
        return ""
    messages = filled.rendered.messages if filled else []
    texts = [str(message["content"]) for message in messages]
    if len(texts) < 2:
        return "".join(texts)
    return "\n\n".join(f"{title_of(one['role'])}:\n{text}" for one, text in zip(messages, texts, strict=True))


def _lines(definition: Definition) -> dict[str, str]:
    """Return a state as titles and texts, those that say something."""
    ref = ref_of(definition)
    found = {"Prompt": str(ref) if ref else "", "Alias": definition.alias}
    found |= {f"Variable {name}": as_text(value) for name, value in sorted(definition.prompt_variables.items())}
    found |= {f"Parameter {name}": as_text(value) for name, value in sorted(definition.parameters.items())}
    found |= {LIMIT_TITLES[name]: limit_text(name, value) for name, value in _set_limits(definition.limits).items()}
    found |= {f"Tool {name}": "\n".join(in_words(grant)) for name, grant in grants_of(definition.grants).items()}
    found["Documents"] = "\n".join(definition.knowledge)
    found["Input"] = as_text(definition.input_schema) if definition.input_schema else ""
    found["Output"] = as_text(definition.output_schema) if definition.output_schema else ""
    found["Opening message"] = definition.opening_message
    found["Suggested questions"] = "\n".join(definition.suggested_questions)
    return {name: text for name, text in found.items() if text}


def _set_limits(limits: Mapping[str, Any]) -> dict[str, int]:
    return {name: limits[name] for name in LIMIT_TITLES if limits.get(name)}


def shown_limits(definition: Definition) -> list[tuple[str, str]]:
    return [(LIMIT_TITLES[name], limit_text(name, value)) for name, value in _set_limits(definition.limits).items()]
