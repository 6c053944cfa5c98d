"""Create an agent from a template: its prompt, the built-in tools it needs, and a draft that uses them."""

from typing import Any

from django.db import transaction

from agents_app.agent_templates import Template, ToolNeed, template_of
from agents_app.models import Agent, Tool
from agents_app.queries.choices import aliases_of
from agents_app.services.agents import check_slug, create_agent
from agents_app.services.tools import create_tool
from console.catalog.models import Pin
from console.core.errors import Conflict, Refusal
from console.teams.actors import Actor
from console.teams.models import Team
from prompts_app.models import Prompt
from prompts_app.queries.required import required_of
from prompts_app.services.labels import publish
from prompts_app.services.prompts import create_prompt

_LABELS = ("production", "staging")


@transaction.atomic
def create_from_template(
    *, actor: Actor, template: str, team: Team, slug: str, name: str = "", description: str = "", **given: Any
) -> Agent:
    """Make an agent whose draft a template fills; what is given stands over it.

    Tools that only the team can make are granted by name, and the draft says that they are missing.
    """
    of = template_of(template)
    check_slug(slug)
    alias = given.pop("alias", "") or _only_alias(team)
    for need in of.tools:
        _ensure_tool(actor, team, need, alias)
    prompt = given.pop("prompt_slug", "") or _prompt(actor, team, of, slug)
    filled: dict[str, Any] = {
        "limits": dict(of.limits),
        "grants": of.grants,
        "input_schema": dict(of.input_schema) if of.input_schema else None,
        "output_schema": dict(of.output_schema),
    }
    return create_agent(
        actor=actor,
        team=team,
        slug=slug,
        name=name or of.name,
        description=description or of.description,
        **(filled | {"alias": alias, "prompt_slug": prompt} | given),
    )


def _only_alias(team: Team) -> str:
    """Return the alias whose models can call tools, if there is exactly one; among several a person chooses."""
    aliases = aliases_of(team)
    pins = Pin.objects.filter(alias__in=aliases).select_related("model_version", "alias")
    cannot = {pin.alias.name for pin in pins if "tools" not in pin.model_version.capabilities}
    able = [alias.name for alias in aliases if alias.name not in cannot]
    return able[0] if len(able) == 1 else ""


def _ensure_tool(actor: Actor, team: Team, need: ToolNeed, alias: str) -> None:
    """Make a built-in tool the team does not have yet. One of that name stays what the team made it."""
    is_there = Tool.objects.filter(team=team, slug=need.slug, deleted_at=None).exists()
    if is_there or not need.kind or (need.calls_alias and not alias):
        return
    config = {"alias": alias} if need.calls_alias else {}
    create_tool(
        actor=actor,
        team=team,
        kind=need.kind,
        slug=need.slug,
        name=need.name,
        description=need.description,
        config=config,
    )


def _prompt(actor: Actor, team: Team, of: Template, slug: str) -> str:
    """Put the instructions into the library and publish them, where the team asks nobody first."""
    name = f"{team.slug}/{slug}"
    if Prompt.objects.filter(slug=name).exists():
        raise Conflict(f"There is a prompt {name} already; choose another short name.", param="slug")
    about = f"What the agent {slug} is told. From the template {of.name}."
    required = [f"{{{{> {partial.slug}}}}}" for partial in required_of(team.pk)]
    content = [{"role": "", "text": "\n\n".join([of.instructions, *required])}]
    prompt = create_prompt(actor=actor, team=team, slug=name, description=about, content=content)
    assert prompt.head is not None
    for label in _LABELS:
        try:
            with transaction.atomic():
                reason = f"From the template {of.name}"
                publish(actor=actor, prompt=prompt, version=prompt.head, label=label, reason=reason, seen_revision=0)
        except Refusal:
            continue  # a protected label: somebody else reviews it first, and the draft says what is missing
    return name
