"""Check whether a draft could answer before it is published or tried, with a remedy for each problem."""

from dataclasses import dataclass

from agents_app.grants.pinned import problems_of
from agents_app.instructions import rendered
from agents_app.models import Definition
from console.catalog.models import Alias, Capability
from console.core.errors import Refusal
from console.knowledge.access import get_collection
from console.teams.models import Environment, Team
from prompts_app.errors import UnknownPrompt


@dataclass(frozen=True, slots=True)
class Check:
    """One point. `problem` is empty when it is met; it is solved on the page of `prompt`, if that is given."""

    text: str
    problem: str = ""
    prompt: str = ""

    @property
    def is_met(self) -> bool:
        return not self.problem


def checks(team: Team, definition: Definition, environment: str = Environment.PRODUCTION) -> list[Check]:
    """Return every point for a draft or version of an agent of this team."""
    aliases = Alias.objects.prefetch_related("teams", "pins__model_version__provider")
    alias = aliases.filter(name=definition.alias).first()
    found = [_instructions(team, definition, environment), alias_check(team, definition, alias, environment)]
    if not found[-1].is_met:
        alias = None  # the models of other teams are not talked of
    if alias is not None:
        found.append(_chats(definition, alias))
    if definition.parameters and alias is not None:
        found.append(_parameters(definition, alias))
    if definition.knowledge:
        found.append(_documents(team, definition))
    if definition.grants:
        found.append(Check("Its tools can be called", " ".join(problems_of(team, definition.grants))))
        if alias is not None:
            found.append(_calls_tools(definition, alias))
    return found


def problems(team: Team, definition: Definition, environment: str = Environment.PRODUCTION) -> list[str]:
    return [check.problem for check in checks(team, definition, environment) if check.problem]


def _instructions(team: Team, definition: Definition, environment: str) -> Check:
    if not definition.prompt_slug:
        return Check("It has instructions", "Choose the prompt with its instructions.")
    try:
        rendered(team.pk, definition, environment)
    except Refusal as refusal:
        there = definition.prompt_slug if refusal.code != UnknownPrompt.code else ""
        return Check("Its instructions can be read", refusal.message, prompt=there)
    return Check("Its instructions can be read")


def _documents(team: Team, definition: Definition) -> Check:
    text = "Its documents can be searched"
    try:
        for slug in definition.knowledge:
            get_collection(team, slug)
    except Refusal as refusal:
        return Check(text, f"{refusal.message} Make it, or leave it out.")
    return Check(text)


def alias_check(
    team: Team, definition: Definition, alias: Alias | None, environment: str = Environment.PRODUCTION
) -> Check:
    text = f"Its alias answers in {environment}"
    if not definition.alias:
        return Check(text, "Choose the alias it answers with.")
    teams = {one.pk for one in alias.teams.all()} if alias else set()
    if alias is None or (teams and team.pk not in teams):
        return Check(text, f"{team} may not call an alias {definition.alias!r}.")
    if not any(pin.environment == environment for pin in alias.pins.all()):
        return Check(text, f"The alias {definition.alias!r} is not pinned in {environment}.")
    return Check(text)


def _chats(definition: Definition, alias: Alias) -> Check:
    return _able("Its model chats", definition, alias, Capability.CHAT, "does not chat", "does")


def _calls_tools(definition: Definition, alias: Alias) -> Check:
    return _able("Its model can call tools", definition, alias, Capability.TOOLS, "cannot call tools", "can")


def _able(text: str, definition: Definition, alias: Alias, need: Capability, lacks: str, other: str) -> Check:
    """Ask the model of each pin; which one answers after a fallback is not known before."""
    for pin in alias.pins.all():
        if need not in pin.model_version.capabilities:
            message = f"{pin.model_version}, pinned for {definition.alias!r} in {pin.environment}, {lacks}."
            tick = f"if it {other}, an operator ticks that on the model's page"
            return Check(text, f"{message} Move the pin to a model that {other}, or choose another alias; {tick}.")
    return Check(text)


def _parameters(definition: Definition, alias: Alias) -> Check:
    text = "Its parameters are within what the pin allows"
    for pin in alias.pins.all():
        for name, most in pin.max_parameters.items():
            value = definition.parameters.get(name)
            if isinstance(value, int | float) and value > most:
                return Check(text, f"{name} is {value}; {alias.name!r} allows at most {most} in {pin.environment}.")
    return Check(text)
