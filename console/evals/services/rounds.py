"""Start a round of a schedule: once per tick, promotion or request, on behalf of somebody who may."""

from dataclasses import replace

from django.db import transaction

from console.audit import actions
from console.core.clock import now
from console.core.errors import NotAllowed, Refusal
from console.evals.drift import digest
from console.evals.gate import STILL_SPEAKS
from console.evals.models import Round, Schedule, TestCase, TestResult, TestRun
from console.evals.services import drift_notices, runs
from console.evals.services.callers import other_team
from console.evals.services.common import record_schedule_change
from console.evals.subjects import subject_of
from console.teams.actors import SYSTEM, Actor
from console.teams.callers import why_refused
from console.teams.lineage import successor_of
from console.teams.models import ApiKey, Team, User
from console.teams.rights import rights_of_actor

_NEEDED = frozenset({"build", "use_models"})
_LONGEST = 500


def locked_schedule(schedule: Schedule) -> Schedule:
    """Return the schedule as it is now, its row locked until commit."""
    rows = Schedule.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "prompt__team", "prompt__head", "version"
    )
    return rows.get(pk=schedule.pk)


def acting(schedule: Schedule) -> Actor:
    return Actor(
        schedule.acts_as_kind, schedule.acts_as_id, schedule.acts_as_name, client_address=schedule.client_address
    )


def objection(team: Team, actor: Actor) -> str:
    """Return why no tests of the team's prompts may be run in this name any more, empty while they may."""
    if team.archived_at is not None:
        return f"{team} is archived."
    assert actor.id is not None
    calling = actor
    if actor.kind == "key":
        key = ApiKey.objects.select_related("team", "owner").filter(pk=actor.id).first()
        if key is None:
            return f"The key {actor.name} cannot be used any more."
        key = successor_of(key)
        if reason := why_refused(key, actor.client_address):
            return f"The key {actor.name} cannot be used any more: {reason}."
        calling = replace(actor, id=key.pk)
        if key.team_id != team.pk:  # one that manages the installation may come in anywhere
            return other_team(team)
    elif not User.objects.filter(pk=actor.id, is_active=True).exists():
        return f"{actor.name} cannot sign in any more."
    rights = rights_of_actor(calling, team.pk)
    if rights is not None and not rights >= _NEEDED:
        return f"{actor.name} may not run tests for {team}."
    return ""


def pause(schedule: Schedule, actor: Actor, reason: str) -> None:
    """Stop a locked schedule, saying why."""
    schedule.is_paused, schedule.pause_reason, schedule.is_left = True, reason[:_LONGEST], actor == SYSTEM
    schedule.save(update_fields=["is_paused", "pause_reason", "is_left"])
    detail = {"before": {"is_paused": False}, "after": {"is_paused": True}}
    record_schedule_change(actions.TEST_SCHEDULE_PAUSED, actor, schedule, detail, reason=schedule.pause_reason)


def begin(
    schedule: Schedule, cause: str, key: str, *, actor: Actor | None = None, before: Round | None = None
) -> Round:
    """Start a run of a locked schedule; a key there was before starts nothing. A refusal is kept with the round."""
    earlier = Round.objects.filter(schedule=schedule, key=key).first()
    if earlier is not None:
        return earlier
    found = Round(schedule=schedule, key=key, cause=cause, before=before)
    by = actor or acting(schedule)
    try:
        with transaction.atomic():
            if said := objection(schedule.prompt.team, by):
                raise NotAllowed(said) if actor else _Left(said)
            found.run = _run(schedule, cause, by)
    except _Left as left:
        found.outcome, found.sentence = Round.Outcome.REFUSED, left.message
        pause(schedule, SYSTEM, f"{left.message} Whoever resumes it answers for its runs.")
        drift_notices.notify_of_pause(schedule)
    except Refusal as refusal:
        if actor is not None:  # somebody waits for the answer
            raise
        found.outcome, found.sentence = Round.Outcome.REFUSED, refusal.message[:_LONGEST]
        schedule.trouble = found.sentence
        schedule.save(update_fields=["trouble"])
    found.save(force_insert=True)
    return found


class _Left(Refusal):
    """Whoever a schedule acts for may not any more."""


def _run(schedule: Schedule, cause: str, by: Actor) -> TestRun:
    subject = subject_of(schedule)
    if subject.version is None:
        raise Refusal(f"The label {schedule.label} is on no version.")
    if not subject.pinned:
        raise Refusal(f"The alias {schedule.model} is not pinned in {schedule.environment}.", param="model")
    if cause == Round.Cause.PROMOTION and (made := _speaks_for(schedule)):
        return made
    return runs.start_run(actor=by, prompt=schedule.prompt, version=subject.version, model=schedule.target)


def _speaks_for(schedule: Schedule) -> TestRun | None:
    """Return a run that tried just what was promoted, such as the one that opened the gate."""
    same = TestRun.objects.filter(
        version=schedule.version,
        model=schedule.model,
        environment=schedule.environment,
        pinned=schedule.pinned,
        status=TestRun.Status.DONE,
        started_at__gt=now() - STILL_SPEAKS,
    )
    run = same.first()
    if run is None:
        return None
    answered = run.results.filter(status__in=[TestResult.Status.PASSED, TestResult.Status.FAILED])
    tried = {case: digest(spec) for case, spec in answered.values_list("case_id", "spec")}
    cases = TestCase.objects.filter(prompt=schedule.prompt)
    is_whole = all(tried.get(case.pk) == digest(runs.spec_of(case)) for case in cases)
    return run if is_whole else None
