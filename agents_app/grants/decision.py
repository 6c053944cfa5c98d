"""Decide whether a run may make a call. It is asked before an approval and again before the call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents_app.grants.constraints import outside
from agents_app.grants.parsing import ALLOW, ASK, DENY, Grant
from agents_app.grants.schemas import WrongArguments, check_arguments
from agents_app.models import Tool


@dataclass(frozen=True, slots=True)
class Decision:
    """`rule` names what decided, for the trace; `reason` is a sentence the model and people read."""

    effect: str
    rule: str
    reason: str

    def as_kept(self) -> dict[str, str]:
        return {"effect": self.effect, "rule": self.rule, "reason": self.reason}


def decide(
    *,
    name: str,
    grant: Grant | None,
    tool: Tool | None,
    arguments: Any,
    calls_before: int,
    problem: str = "",
) -> Decision:
    """Return what the agent, the caller, the team and the tool together allow.

    `name` is what the model wrote; `tool` is the team's living tool of exactly that name, its server at hand.
    `calls_before` counts the calls of it this run has made. `problem` says why its caller may not continue; a run that
    has one takes no step, so only who decides outside of one asks for it.
    """
    if grant is None:
        return _no("grant", f"There is no tool {name[:64]!r} for this agent. Use only the tools you were given.")
    if problem:
        return _no("caller", problem)
    if tool is None:
        return _no("tool", f"The tool {name!r} is not there any more.")
    if not tool.is_callable:
        why = "it waits for a person to review it" if tool.suspended else "it is switched off"
        return _no("tool", f"The tool {name!r} cannot be called now: {why}.")
    if grant.digest and grant.digest != tool.digest:
        return _no("digest", f"The tool {name!r} is not the one that was granted: its description has changed.")
    try:
        check_arguments(tool.parameters, arguments)
    except WrongArguments as wrong:
        return _no("schema", wrong.message)
    if found := outside(grant.arguments, arguments):
        return _no(f"arguments.{found[0]}", f"The argument {found[0]} {found[1]}.")
    if grant.most_calls is not None and calls_before >= grant.most_calls:
        return _no("most_calls", f"This run may call {name!r} {grant.most_calls} times, and has.")
    return _by_rules(grant, tool, arguments)


def _by_rules(grant: Grant, tool: Tool, arguments: Mapping[str, Any]) -> Decision:
    matching = [rule for rule in grant.rules if outside(rule.when, arguments) is None]
    for effect in (DENY, ASK, ALLOW):
        for rule in matching:
            if rule.effect == effect:
                named = ", ".join(rule.when)
                return Decision(effect, f"rules.{rule.id}", f"Rule {rule.id} about {named}: {_SAID[effect]}.")
    if grant.mode:
        return Decision(grant.mode, "mode", f"The agent's grant of {tool.slug}: {_SAID[grant.mode]}.")
    if tool.effect == Tool.Effect.WRITE:
        return Decision(ASK, "default", f"{tool.slug} changes something, so a person is asked first.")
    return Decision(ALLOW, "default", f"{tool.slug} only reads.")


_SAID = {ALLOW: "may be called", ASK: "a person is asked first", DENY: "may not be called"}


def _no(rule: str, reason: str) -> Decision:
    return Decision(DENY, rule, reason)
