"""The only way to get a test for somebody: the members of the owning team, for outputs are the team's content."""

import uuid

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from console.core.errors import NotFound
from console.evals.models import Incident, Schedule, TestCase, TestRun
from console.teams.access import teams_for
from console.teams.callers import Caller
from prompts_app import access
from prompts_app.models import Prompt


def prompt_for(caller: Caller, slug: str, to: str = "view") -> Prompt:
    """Return the prompt whose tests the caller may see, 403 for readers from other teams; `to` as in the library."""
    prompt = access.prompt_for(caller, slug, to=to)
    if not caller.may("view_team", prompt.team_id):
        raise PermissionDenied(f"The tests of this prompt belong to {prompt.team}.")
    return prompt


def may_run(caller: Caller, prompt: Prompt) -> bool:
    """Say whether the caller may start runs: they are calls on the owning team's quota."""
    return caller.may("build", prompt.team_id) and caller.may("use_models", prompt.team_id)


def case_for(prompt: Prompt, case_id: uuid.UUID) -> TestCase:
    found = TestCase.objects.filter(prompt=prompt, pk=case_id).first()
    if found is None:
        raise NotFound("There is no such test.")
    found.prompt = prompt
    return found


def run_for(prompt: Prompt, run_id: uuid.UUID) -> TestRun:
    found = TestRun.objects.select_related("version").filter(prompt=prompt, pk=run_id).first()
    if found is None:
        raise NotFound("There is no such run.")
    found.prompt = found.version.prompt = prompt
    return found


def schedules_for(caller: Caller) -> QuerySet[Schedule]:
    """Return the schedules of the teams the caller belongs to, of prompts that are there."""
    living = Schedule.objects.filter(prompt__deleted_at=None, prompt__team__archived_at=None)
    return living if caller.is_operator else living.filter(prompt__team__in=teams_for(caller))


def schedule_for(prompt: Prompt, schedule_id: uuid.UUID) -> Schedule:
    rows = Schedule.objects.select_related("version", "baseline__version", "baseline__run")
    found = rows.filter(prompt=prompt, pk=schedule_id).first()
    if found is None:
        raise NotFound("There is no such schedule.")
    found.prompt = prompt
    return found


def incident_for(schedule: Schedule, incident_id: uuid.UUID) -> Incident:
    found = Incident.objects.filter(schedule=schedule, pk=incident_id).first()
    if found is None:
        raise NotFound("There is no such incident.")
    found.schedule = schedule
    return found
