"""Agents to start from. A template is plain data: what it fills a draft with, and the tools it counts on."""

from typing import Any

from agents_app.agent_templates.base import Template, ToolNeed
from agents_app.agent_templates.campaign_planner import CAMPAIGN_PLANNER
from agents_app.agent_templates.log_watcher import LOG_WATCHER
from agents_app.agent_templates.support_triage import SUPPORT_TRIAGE
from console.core.errors import BadInput

TEMPLATES: dict[str, Template] = {one.slug: one for one in (SUPPORT_TRIAGE, CAMPAIGN_PLANNER, LOG_WATCHER)}
_EXPECTED = {need.slug: need for one in TEMPLATES.values() for need in one.tools}

__all__ = ["TEMPLATES", "Template", "ToolNeed", "expected", "kind_expected", "start_of", "template_of"]


def template_of(slug: str) -> Template:
    if slug not in TEMPLATES:
        raise BadInput(f"There is no template {slug[:60]!r}; there are {', '.join(TEMPLATES)}.", param="template")
    return TEMPLATES[slug]


def expected(tool: str) -> str:
    """Return what a template expects of the tool of this name; empty when none speaks of it."""
    return _EXPECTED[tool].sentence if tool in _EXPECTED else ""


def kind_expected(tool: str) -> str:
    """Return the kind of tool a template expects by this name; empty when none speaks of it."""
    return (_EXPECTED[tool].kind or "http") if tool in _EXPECTED else ""


def start_of(tool: str) -> dict[str, Any]:
    """Return what the form of a tool of this name begins with; nothing where no template expects one."""
    need = _EXPECTED.get(tool)
    if need is None:
        return {}
    start: dict[str, Any] = {"description": need.description, "effect": need.effect}
    if need.effect == "write":
        start["method"] = "POST"
    if need.parameters:
        start |= {"body_from": "rest", "schema": dict(need.parameters)}
    return {name: value for name, value in start.items() if value}
