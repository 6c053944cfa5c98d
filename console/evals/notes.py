"""Show drift on the prompt's pages and on the page of the alias that its tests ask."""

from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse

from console.catalog.links import Link
from console.catalog.models import Pin
from console.core.notes import Note
from console.core.where_used import Use
from console.evals import access
from console.evals.models import Incident, Schedule
from console.teams.callers import Caller
from console.teams.models import Environment
from prompts_app.models import Prompt

_MOST = 4


def on_prompt(caller: Caller, prompt: Prompt) -> list[Note]:
    if not caller.may("view_team", prompt.team_id):
        return []
    return _notes(Incident.objects.filter(schedule__prompt=prompt))


def on_alias(caller: Caller, alias: str) -> list[Note]:
    return _notes(Incident.objects.filter(schedule__model=alias, schedule__in=access.schedules_for(caller)))


def _notes(incidents: QuerySet[Incident]) -> list[Note]:
    open_ones = incidents.filter(closed_at=None).select_related("schedule__prompt").order_by("opened_at", "id")
    return [
        Note(
            tone="bad",
            icon="trending-down",
            title="The tests drifted.",
            text=incident.sentence,
            action="Look at it",
            url=reverse("evals:schedule", args=[incident.schedule.prompt.slug, incident.schedule_id]),
        )
        for incident in open_ones[:_MOST]
    ]


def replay_alias(caller: Caller, alias: str) -> list[Link]:
    """Lead from an alias to a replay of its calls: on its sandbox pin, where it has one."""
    if not access.teams_to(caller, "start"):
        return []
    where = {"alias": alias}
    if Pin.objects.filter(alias__name=alias, environment=Environment.SANDBOX).exists():
        where["model"] = f"{alias}@{Environment.SANDBOX.value}"
    url = f"{reverse('evals:new_replay')}?{urlencode(where)}"
    return [Link("Replay traffic against another version before promoting", "history", url)]


def schedules_with(alias: str) -> list[Use]:
    """Return the schedules that ask an alias. They do not hold it."""
    rows = Schedule.objects.filter(model=alias, prompt__deleted_at=None).select_related("prompt__team")
    return [
        Use(
            "tests",
            f"{row.prompt.slug}, {row.label}",
            row.prompt.team_id,
            row.prompt.team.name,
            holds=False,
            url=reverse("evals:tests", args=[row.prompt.slug]),
        )
        for row in rows
    ]
