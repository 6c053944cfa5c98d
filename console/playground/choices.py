"""The choices of the page: models, versions, prompts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.catalog.access import aliases_for
from console.catalog.models import ModelVersion, Pin
from console.evals.models import TestCase
from console.playground.drafts import Drafted
from console.teams.callers import Caller
from console.teams.models import Environment, Team
from prompts_app import access
from prompts_app.models import Kind, Label, Prompt, PromptVersion
from prompts_app.queries.listing import HEAVY
from prompts_app.queries.preview import variables_of

_MOST_PROMPTS = 100
_MOST_VERSIONS = 100
_MOST_CASES = 200


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the list: `value` is an alias with its environment, or an exact version."""

    value: str
    title: str


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    labels: tuple[str, ...]

    @property
    def value(self) -> str:
        return str(self.number)

    @property
    def title(self) -> str:
        return f"Prompt v{self.number}" + (f", {', '.join(self.labels)}" if self.labels else "")


def _called(pin: Pin) -> str:
    """Return how a production key writes what a pin means."""
    return pin.alias.name if pin.environment == Environment.PRODUCTION else f"{pin.alias.name}@{pin.environment}"


def models(caller: Caller, team: Team) -> list[Model]:
    """Return the aliases the team may call, as each environment pins them, then exact versions to operators."""
    pins = (
        Pin.objects.filter(alias__in=aliases_for(caller, team), model_version__capabilities__contains=["chat"])
        .select_related("alias", "model_version__provider")
        .order_by("alias__name", "environment")
    )
    found = [Model(f"{pin.alias.name}@{pin.environment}", f"{_called(pin)} {pin.model_version.name}") for pin in pins]
    if caller.is_operator:
        versions = ModelVersion.objects.filter(capabilities__contains=["chat"], retired_at=None)
        for version in versions.select_related("provider").order_by("provider__slug", "name")[:_MOST_VERSIONS]:
            label = f"{version.provider.slug}/{version.name}"
            found.append(Model(label, label))
    return found


def prompts(caller: Caller) -> list[Prompt]:
    """Return the prompts to offer, the most used first. Any other can be typed."""
    rows = access.prompts_for(caller).exclude(kind=Kind.PARTIAL).order_by("-calls", "-changed_at", "-id")
    return list(rows.only("slug", "description")[:_MOST_PROMPTS])


def versions(prompt: Prompt) -> list[Version]:
    """Return the newest versions, and those a label points at, with their labels."""
    labels: dict[int, list[str]] = {}
    for label in Label.objects.filter(prompt=prompt).select_related("version").defer(*(f"version__{n}" for n in HEAVY)):
        labels.setdefault(label.version.number, []).append(label.name)
    newest = PromptVersion.objects.filter(prompt=prompt).order_by("-number").values_list("number", flat=True)
    numbers = sorted({*newest[:_MOST_VERSIONS], *labels}, reverse=True)
    return [Version(number, tuple(sorted(labels.get(number, ())))) for number in numbers]


def cases(caller: Caller, prompt: Prompt) -> list[TestCase]:
    """Return the cases of a prompt; none to readers from other teams, for tests are the owning team's."""
    if not caller.may("view_team", prompt.team_id):
        return []
    return list(TestCase.objects.filter(prompt=prompt)[:_MOST_CASES])


def variables(rows: list[PromptVersion], draft: Drafted | None = None) -> list[Mapping[str, Any]]:
    """Return what these versions, and a draft, ask for, each variable once."""
    found: dict[str, Mapping[str, Any]] = {}
    for declared in (*([draft.variables] if draft else []), *(variables_of(row) for row in rows)):
        for variable in declared:
            found.setdefault(variable["name"], variable)
    return list(found.values())
