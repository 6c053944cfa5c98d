"""Describe in words what an agent may do."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page

from agents_app.agent_templates import expected, kind_expected
from agents_app.grants.parsing import ALLOW, ASK, DENY, Grant, grants_of
from agents_app.grants.pinned import tools_of
from agents_app.models import Agent, Definition, Tool
from agents_app.queries.paging import page_of

_MODES = {ALLOW: ("Automatic", ""), ASK: ("A person approves", "warn"), DENY: ("Denied", "bad")}
_OTHERS = "Requires another approver"


@dataclass(frozen=True, slots=True)
class Granted:
    """One grant as a row of the page; `tool` is None when the team has none of that name.

    Then `kind` is what a template expects it to be, empty when none speaks of it.
    """

    name: str
    tool: Tool | None
    rules: list[str]
    mode: str
    tone: str
    icon: str
    problem: str
    kind: str


def granted(agent: Agent, definition: Definition) -> list[Granted]:
    grants = grants_of(definition.grants)
    tools = tools_of(agent.team, list(grants))
    return [_row(name, grant, tools.get(name)) for name, grant in grants.items()]


def _row(name: str, grant: Grant, tool: Tool | None) -> Granted:
    writes = tool is None or tool.effect == Tool.Effect.WRITE
    mode, tone = _MODES[grant.mode or (ASK if writes else ALLOW)]
    if grant.others_approve and mode == _MODES[ASK][0]:
        mode = _OTHERS
    icon, kind = "wrench" if writes else "eye", "" if tool else kind_expected(name)
    return Granted(name, tool, _rules(grant), mode, tone, icon, _problem(name, tool), kind)


def in_words(grant: Grant) -> list[str]:
    """Return all that a grant says, one thing a line, to be compared with another."""
    found = [_MODES[grant.mode][0]] if grant.mode and not (grant.mode == ASK and grant.others_approve) else []
    if grant.others_approve:
        found.append(_OTHERS)
    found += _rules(grant) or ["any arguments"]
    if grant.editable:
        found.append(f"editable on approval: {', '.join(grant.editable)}")
    if grant.digest:
        found.append(f"as reviewed, {grant.digest[:12]}")
    return found


def _rules(grant: Grant) -> list[str]:
    found = [f"{name} {_describe_limit(limit)}" for name, limit in grant.arguments.items()]
    for rule in grant.rules:
        found.append(
            f"{rule.effect} if {' and '.join(f'{name} {_describe_limit(limit)}' for name, limit in rule.when.items())}"
        )
    if grant.most_calls:
        found.append(f"{grant.most_calls} per run")
    return found


def _describe_limit(limit: dict[str, Any]) -> str:
    words = {"equals": "=", "min": "≥", "max": "≤", "max_length": "length ≤", "prefix": "begins", "host": "on"}
    return " ".join(
        f"in {', '.join(map(str, value))}" if word == "one_of" else f"{words.get(word, word)} {_plain(value)}"
        for word, value in sorted(limit.items(), reverse=True)  # "min" before "max"
    )


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _problem(name: str, tool: Tool | None) -> str:
    if tool is None:
        return f"There is no such tool yet. {expected(name)}" if expected(name) else "There is no such tool any more."
    if tool.suspended:
        return f"Waits for a review: {tool.suspended}"
    return "" if tool.is_callable else "It is switched off."


def grantable(agent: Agent, definition: Definition, words: str, number: int) -> Page[Tool]:
    """Return one page of the team's tools that have the words and are not granted yet, by short name."""
    taken = [grant["tool"] for grant in definition.grants]
    tools = Tool.objects.filter(team=agent.team, deleted_at=None).exclude(slug__in=taken)
    return page_of(tools.select_related("server").order_by("slug"), words, number)
