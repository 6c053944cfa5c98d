"""The only way to get a test, dataset or replay for somebody: members of the owning team.

What tests answered is the team's. What stands in datasets and what replays answered may be copied from the log: that is
for those who may read content, and each look is recorded.
"""

import uuid

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from console.core.errors import NotFound
from console.core.sql import get_or_raise
from console.evals.models import (
    Dataset,
    DatasetItem,
    Incident,
    Replay,
    ReplayResult,
    Schedule,
    TestCase,
    TestRun,
)
from console.teams.access import denied, teams_for
from console.teams.callers import Caller
from console.teams.models import Team
from prompts_app import access
from prompts_app.models import Prompt, PromptVersion


def prompt_for(caller: Caller, slug: str, to: str = "view") -> Prompt:
    """Return the prompt whose tests the caller may see, 403 for readers from other teams; `to` as in the library."""
    prompt = access.prompt_for(caller, slug, to=to)
    if not caller.may("view_team", prompt.team_id):
        raise PermissionDenied(f"The tests of this prompt belong to {prompt.team}.")
    return prompt


def candidate_for(caller: Caller, slug: str, number: int) -> PromptVersion:
    """Return the version of a prompt that a replay asks; a refusal names the field at fault."""
    return access.version_for(access.prompt_for(caller, slug, param="prompt"), number, param="version")


def may_run(caller: Caller, prompt: Prompt) -> bool:
    """Return whether the caller may start runs: they are calls on the owning team's quota."""
    return caller.may("build", prompt.team_id) and caller.may("use_models", prompt.team_id)


def case_for(prompt: Prompt, case_id: uuid.UUID) -> TestCase:
    found = get_or_raise(TestCase.objects.filter(prompt=prompt, pk=case_id), NotFound("There is no such test."))
    found.prompt = prompt
    return found


def run_for(prompt: Prompt, run_id: uuid.UUID) -> TestRun:
    found = get_or_raise(
        TestRun.objects.select_related("version").filter(prompt=prompt, pk=run_id), NotFound("There is no such run.")
    )
    found.prompt = found.version.prompt = prompt
    return found


def schedules_for(caller: Caller) -> QuerySet[Schedule]:
    """Return the schedules of the teams the caller belongs to, of prompts that are there."""
    living = Schedule.objects.filter(prompt__deleted_at=None, prompt__team__archived_at=None)
    return living if caller.is_operator else living.filter(prompt__team__in=teams_for(caller))


def schedule_for(prompt: Prompt, schedule_id: uuid.UUID) -> Schedule:
    rows = Schedule.objects.select_related("version", "baseline__version", "baseline__run")
    found = get_or_raise(rows.filter(prompt=prompt, pk=schedule_id), NotFound("There is no such schedule."))
    found.prompt = prompt
    return found


def incident_for(schedule: Schedule, incident_id: uuid.UUID) -> Incident:
    found = get_or_raise(
        Incident.objects.filter(schedule=schedule, pk=incident_id), NotFound("There is no such incident.")
    )
    found.schedule = schedule
    return found


# What somebody needs to make datasets of the log and to start replays: they read content, and call models for the team.
_TO_SAMPLE = ("build", "view_audit", "read_content")
_TO_REPLAY = ("build", "use_models", "read_content")
_RIGHTS = {
    "view": (),
    "read": ("read_content",),
    "upload": ("build",),
    "sample": _TO_SAMPLE,
    "start": _TO_REPLAY,
    "change": ("build",),
}


def may(caller: Caller, to: str, team_id: uuid.UUID) -> bool:
    """Return whether the caller may read, upload, sample, start or change in a team."""
    return all(caller.may(right, team_id) for right in _RIGHTS[to])


def teams_to(caller: Caller, to: str) -> list[Team]:
    return [team for team in teams_for(caller).order_by("name") if may(caller, to, team.pk)]


def check_may(caller: Caller, to: str, team_id: uuid.UUID) -> None:
    if not may(caller, to, team_id):
        raise denied(None, caller, *_RIGHTS[to])


def datasets_for(caller: Caller) -> QuerySet[Dataset]:
    """Return the datasets of the teams the caller belongs to."""
    living = Dataset.objects.filter(team__archived_at=None).select_related("team")
    return living if caller.is_operator else living.filter(team__in=teams_for(caller))


def dataset_for(caller: Caller, dataset_id: uuid.UUID, to: str = "view") -> Dataset:
    found = get_or_raise(datasets_for(caller).filter(pk=dataset_id), NotFound("There is no such dataset."))
    check_may(caller, to, found.team_id)
    return found


def item_for(caller: Caller, dataset_id: uuid.UUID, place: int) -> DatasetItem:
    """Return one item for its content to be read."""
    dataset = dataset_for(caller, dataset_id, to="read")
    found = get_or_raise(DatasetItem.objects.filter(dataset=dataset, place=place), NotFound("There is no such item."))
    found.dataset = dataset
    return found


def replays_for(caller: Caller) -> QuerySet[Replay]:
    """Return the replays of the teams the caller belongs to."""
    living = Replay.objects.filter(team__archived_at=None)
    living = living.select_related("team", "dataset__team", "version__prompt").defer("version__content")
    return living if caller.is_operator else living.filter(team__in=teams_for(caller))


def replay_for(caller: Caller, replay_id: uuid.UUID, to: str = "view") -> Replay:
    found = get_or_raise(replays_for(caller).filter(pk=replay_id), NotFound("There is no such replay."))
    check_may(caller, to, found.team_id)
    return found


def result_for(caller: Caller, replay_id: uuid.UUID, place: int) -> ReplayResult:
    """Return what came of one item for its content to be read."""
    replay = replay_for(caller, replay_id, to="read")
    found = get_or_raise(
        ReplayResult.objects.select_related("item").filter(replay=replay, item__place=place),
        NotFound("There is no such item."),
    )
    found.replay = replay
    return found
