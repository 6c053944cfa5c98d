"""Create, change, pause and remove schedules of a prompt's tests."""

import datetime as dt
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.services import changes
from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotAllowed, check_revision
from console.core.schedules import check_cron, check_pace, next_tick
from console.evals.models import Round, Schedule
from console.evals.services import incidents, rounds
from console.evals.services.common import record_schedule_change
from console.evals.services.runs import environment_of
from console.evals.subjects import subject_of
from console.teams.actors import Actor
from prompts_app.models import Kind, Prompt
from prompts_app.services.common import check_reason, locked
from prompts_app.text.refs import LABEL

MOST_SCHEDULES = 20
# All tests of a prompt, up to 500, on whatever model: once a minute would be a mistake that a quota has to end.
LEAST_PAUSE = dt.timedelta(minutes=15)
_ANOTHER_IS_TESTED = "Another label or model is tested now."
_SHOWN = ("label", "model", "environment", "cron", "time_zone", "tolerance")


def _logged(schedule: Schedule) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in _SHOWN}


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields in one spelling; `model` may say its environment, as a run's does."""
    if not isinstance(fields["label"], str) or not LABEL.fullmatch(fields["label"]):
        raise BadInput("Say which label's version is tested, as production.", param="label")
    model, environment = environment_of(str(fields["model"]).strip())
    if not model or len(model) > 200 or "\x00" in model:
        raise BadInput("Say which alias, or which exact version, should answer.", param="model")
    cron, time_zone = " ".join(str(fields["cron"]).split()), str(fields["time_zone"]).strip() or "UTC"
    check_cron(cron, time_zone)
    check_pace(cron, time_zone, LEAST_PAUSE)
    tolerance = fields["tolerance"]
    if isinstance(tolerance, bool) or not isinstance(tolerance, int) or not 0 <= tolerance <= 100:
        raise BadInput("The tolerance is a whole number of points from 0 to 100.", param="tolerance")
    return {
        "label": fields["label"],
        "model": model,
        "environment": environment,
        "cron": cron,
        "time_zone": time_zone,
        "tolerance": tolerance,
    }


def _acting(actor: Actor, prompt: Prompt) -> dict[str, Any]:
    """Return in whose name the runs are made, who must be able to make them."""
    if actor.kind not in {"user", "key"} or actor.id is None:
        raise NotAllowed("A schedule's calls are somebody's: a person's, or a key's.")
    if said := rounds.objection(prompt.team, actor):
        raise NotAllowed(said)
    return {
        "acts_as_kind": actor.kind,
        "acts_as_id": actor.id,
        "acts_as_name": actor.name,
        "client_address": actor.client_address,
    }


def _check_single(prompt: Prompt, fields: dict[str, Any], but: Schedule | None = None) -> None:
    same = Schedule.objects.filter(prompt=prompt, **{name: fields[name] for name in ("label", "model", "environment")})
    if but is not None:
        same = same.exclude(pk=but.pk)
    if same.exists():
        raise Conflict(
            f"{fields['label']} on {fields['model']}@{fields['environment']} has a schedule already; change that.",
            param="model",
        )


@transaction.atomic
def create_schedule(
    *,
    actor: Actor,
    prompt: Prompt,
    label: str,
    model: str,
    cron: str,
    time_zone: str = "UTC",
    tolerance: int = 5,
    starts_now: bool = True,
    acts_as: Actor | None = None,
) -> Schedule:
    """Have a prompt's tests run again and again. The first round begins at once: it is the first baseline.

    Its runs are those of `acts_as`, unless given of whoever makes it.
    """
    runner = acts_as or actor
    prompt = locked(prompt)
    if prompt.kind == Kind.PARTIAL:
        raise BadInput("A partial is never called; test the prompts that include it.")
    if Schedule.objects.filter(prompt=prompt).count() >= MOST_SCHEDULES:
        raise BadInput(f"A prompt has at most {MOST_SCHEDULES} schedules.")
    given = {"label": label, "model": model, "cron": cron, "time_zone": time_zone, "tolerance": tolerance}
    wanted = _checked(given)
    _check_single(prompt, wanted)
    schedule = Schedule(prompt=prompt, created_by_name=actor.name, **wanted, **_acting(runner, prompt))
    subject = subject_of(schedule)
    if subject.version is None:
        raise BadInput(f"{label} of {prompt.slug} is on no version yet. Publish one to it first.", param="label")
    if not prompt.test_cases.exists():
        raise BadInput("There are no tests yet; add one first.")
    schedule.version, schedule.pinned = subject
    schedule.next_at = next_tick(schedule.cron, schedule.time_zone, now())
    schedule.save(force_insert=True)
    record_schedule_change(actions.TEST_SCHEDULE_CREATED, actor, schedule, {"after": _logged(schedule)})
    if starts_now:
        rounds.begin(schedule, Round.Cause.BY_HAND, "first", actor=runner)
    return schedule


@transaction.atomic
def change_schedule(
    *,
    actor: Actor,
    schedule: Schedule,
    acts_as: Actor | None = None,
    seen_revision: int | None = None,
    **fields: Any,
) -> Schedule:
    """Change what is tested, when, or how much the score may fall. Overtaken when it was changed since it was seen.

    Its runs are those of `acts_as` from now on, unless given of whoever changes it. A schedule of another label or
    model has no baseline any more: its next round takes one.
    """
    schedule = rounds.locked_schedule(schedule)
    check_revision(f"the schedule of {schedule}", schedule.revision, seen_revision)
    before = _logged(schedule)
    if "model" not in fields:
        fields["model"] = schedule.target
    wanted = _checked({**before, **fields})
    _check_single(schedule.prompt, wanted, schedule)
    differences = changes(before, wanted)
    if acts_as is not None and (acts_as.kind, acts_as.id) != (schedule.acts_as_kind, schedule.acts_as_id):
        for side, who in (("before", schedule.acts_as_name), ("after", acts_as.name)):
            differences[side]["acts_as"] = who
    if not differences["after"]:
        return schedule
    for name, value in {**wanted, **_acting(acts_as or actor, schedule.prompt)}.items():
        setattr(schedule, name, value)
    if any(before[name] != wanted[name] for name in ("label", "model", "environment")):
        incidents.end(schedule, actor, _ANOTHER_IS_TESTED)
        # A run of what was tested before may end later: it is no measure of what is tested now.
        schedule.rounds.filter(outcome=Round.Outcome.OPEN).update(
            outcome=Round.Outcome.INCOMPLETE, sentence=_ANOTHER_IS_TESTED
        )
        schedule.baseline = None
        schedule.version, schedule.pinned = subject_of(schedule)
    if before["cron"] != wanted["cron"] or before["time_zone"] != wanted["time_zone"]:
        schedule.next_at = next_tick(schedule.cron, schedule.time_zone, now())
    schedule.revision += 1
    schedule.save()
    record_schedule_change(actions.TEST_SCHEDULE_CHANGED, actor, schedule, differences)
    return schedule


@transaction.atomic
def pause_schedule(*, actor: Actor, schedule: Schedule, reason: str = "") -> Schedule:
    """Begin no further round until somebody resumes it."""
    schedule = rounds.locked_schedule(schedule)
    if not schedule.is_paused:
        message = f"Paused by {actor.name}." if not reason.strip() else f"{actor.name}: {check_reason(reason)}"
        rounds.pause(schedule, actor, message)
    return schedule


@transaction.atomic
def resume_schedule(*, actor: Actor, schedule: Schedule, acts_as: Actor | None = None) -> Schedule:
    """Go on from now, without catching up, and in the name of `acts_as`, unless given of whoever resumes it."""
    schedule = rounds.locked_schedule(schedule)
    if schedule.is_paused:
        schedule.is_paused, schedule.pause_reason, schedule.trouble, schedule.is_left = False, "", "", False
        for name, value in _acting(acts_as or actor, schedule.prompt).items():
            setattr(schedule, name, value)
        schedule.version, schedule.pinned = subject_of(schedule)
        schedule.next_at = next_tick(schedule.cron, schedule.time_zone, now())
        schedule.save()
        detail = {"before": {"is_paused": True}, "after": {"is_paused": False}}
        record_schedule_change(actions.TEST_SCHEDULE_RESUMED, actor, schedule, detail)
    return schedule


@transaction.atomic
def delete_schedule(*, actor: Actor, schedule: Schedule) -> None:
    """Remove a schedule with its rounds, baselines and incidents; the runs themselves and the log stay."""
    schedule = rounds.locked_schedule(schedule)
    record_schedule_change(actions.TEST_SCHEDULE_DELETED, actor, schedule, {"before": _logged(schedule)})
    Schedule.objects.filter(pk=schedule.pk).delete()


@transaction.atomic
def run_now(*, actor: Actor, schedule: Schedule) -> Round:
    """Run the tests out of turn, as whoever asks."""
    schedule = rounds.locked_schedule(schedule)
    return rounds.begin(schedule, Round.Cause.BY_HAND, f"by hand {now().isoformat()}", actor=actor)
