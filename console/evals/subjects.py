"""Resolve a schedule's label and model to a version of the prompt and a model version."""

from collections.abc import Sequence
from typing import NamedTuple

from console.catalog.models import ModelVersion, Pin
from console.evals.models import Schedule
from prompts_app.models import Label, PromptVersion


class Subject(NamedTuple):
    """`version` is None while the label is on none; `pinned` is empty while the alias is not pinned."""

    version: PromptVersion | None
    pinned: str


def version_behind(model: str, environment: str) -> ModelVersion | None:
    """Return the model version a name means now: an alias in an environment, or a version by its own name."""
    if "/" in model:
        slug, _, name = model.partition("/")
        return ModelVersion.objects.filter(provider__slug=slug, name=name).select_related("provider").first()
    pin = Pin.objects.filter(alias__name=model, environment=environment).select_related("model_version__provider")
    found = pin.first()
    return found.model_version if found else None


def pinned_to(model: str, environment: str) -> str:
    """Return the exact version a run's model means now; a name with a slash is one already."""
    return model if "/" in model else str(version_behind(model, environment) or "")


def subjects_of(schedules: Sequence[Schedule]) -> list[Subject]:
    """Return what each means now. Two queries, however many there are."""
    labels = {
        (label.prompt_id, label.name): label.version
        for label in Label.objects.filter(prompt__in={schedule.prompt_id for schedule in schedules})
        .select_related("version")
        .defer("version__content", "version__variables")
    }
    pins = {
        (pin.alias.name, pin.environment): str(pin.model_version)
        for pin in Pin.objects.filter(alias__name__in={schedule.model for schedule in schedules}).select_related(
            "alias", "model_version__provider"
        )
    }
    return [
        Subject(
            labels.get((schedule.prompt_id, schedule.label)),
            schedule.model if "/" in schedule.model else pins.get((schedule.model, schedule.environment), ""),
        )
        for schedule in schedules
    ]


def subject_of(schedule: Schedule) -> Subject:
    return subjects_of([schedule])[0]
