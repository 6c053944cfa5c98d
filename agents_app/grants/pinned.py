"""Match grants with a team's tools: an MCP tool is granted as it was reviewed, and anything else waits."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents_app.agent_templates import expected
from agents_app.grants.parsing import Grant, grants_of
from agents_app.models import Tool
from agents_app.tools.base import Names
from agents_app.tools.registry import kind_of
from console.core.errors import BadInput
from console.teams.models import Team


def tools_of(team: Team, names: Sequence[str]) -> dict[str, Tool]:
    """Return the living tools of these names, by name."""
    tools = Tool.objects.select_related("server").filter(team=team, slug__in=names, deleted_at=None)
    return {tool.slug: tool for tool in tools}


def pinned(team: Team, fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields of a definition whose grants say which description of a tool they mean, where it has several."""
    if not fields.get("grants"):
        return fields
    tools = tools_of(team, [grant["tool"] for grant in fields["grants"]])
    return fields | {"grants": [_pinned(grant, tools.get(grant["tool"])) for grant in fields["grants"]]}


def _pinned(grant: Mapping[str, Any], tool: Tool | None) -> dict[str, Any]:
    if tool is None or not tool.digest or grant.get("digest"):
        return dict(grant)
    return dict(grant) | {"digest": tool.digest}


def problems_of(team: Team, grants: Any) -> list[str]:
    """Return what keeps grants from being used, each with what to do."""
    tools, found = tools_of(team, [grant["tool"] for grant in grants]), []
    for name, grant in grants_of(grants).items():
        tool = tools.get(name)
        if tool is None:
            found.append(f"There is no tool {name!r} in {team}. {expected(name)}".strip())
        elif tool.suspended:
            found.append(f"The tool {name!r} waits for a review: {tool.suspended}")
        elif not tool.is_callable:
            found.append(f"The tool {name!r} is switched off.")
        elif grant.digest and grant.digest != tool.digest:
            found.append(f"The tool {name!r} was reviewed anew since it was granted. Look at it and grant it again.")
        elif lost := lost_by(tool, team):
            found.append(f"The tool {name!r} cannot do its work: {lost}")
        elif unknown := sorted(_named(grant) - _arguments(tool)):
            found.append(f"The grant of {name!r} speaks of an argument {unknown[0]!r} the tool does not have.")
    return found


def lost_by(tool: Tool, team: Team) -> str:
    """Return what a tool names that its team does not have any more, and what there is; empty when all is there."""
    kind = kind_of(tool.kind)
    if isinstance(kind, Names):
        try:
            kind.check_names(tool.config, team)
        except BadInput as refusal:
            return refusal.message
    return ""


def _named(grant: Grant) -> set[str]:
    return {*grant.arguments, *grant.editable, *(name for rule in grant.rules for name in rule.when)}


def _arguments(tool: Tool) -> set[str]:
    return set(tool.parameters.get("properties", {}))
