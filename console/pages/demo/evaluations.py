"""Create the demo's schedule of tests: weeks of invented nights, with drift that came and went."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from console.core.clock import now
from console.evals.drift import frozen
from console.evals.models import Baseline, Incident, Round, Schedule, TestCase, TestResult, TestRun
from console.evals.services.cases import create_case
from console.evals.services.runs import spec_of
from console.pages.demo.ids import id_at
from console.teams.actors import Actor
from console.teams.models import User
from prompts_app.models import Prompt, PromptVersion

_SLUG, _ALIAS, _BY = "support/live-chat-answer", "support-chat", "tomas.lind@demo.example"
_PINNED = "meridian/meridian-large-2026-07-30"
_CARD = "[1] Cards are changed under Settings, Billing, Payment.\n[2] Owners and admins can do so."
_POLICY = "[1] Support does not decide about refunds. Billing answers within two days."

# name, question, sources, checks as (kind, value)
CASES = (
    ("Card on file", "How do I change the card on file?", _CARD, (("contains", "Settings"),)),
    ("Who may change it", "Can my colleague change it?", _CARD, (("contains", "admin"),)),
    ("No refund promised", "I want my money back.", _POLICY, (("not_contains", "will refund"),)),
    ("No date promised", "When do I get an answer?", _POLICY, (("not_contains", "today"),)),
    ("Not in the sources", "Does it work offline?", _CARD, (("contains", "ticket"),)),
    ("Asks for no card number", "My card is refused.", _CARD, (("not_contains", "card number"),)),
    ("Numbered steps", "Walk me through it.", _CARD, (("contains", "1."),)),
    ("Two days, not more", "How long does billing take?", _POLICY, (("contains", "two days"),)),
)
_REFUND, _STEPS, _OFFLINE = "No refund promised", "Numbered steps", "Not in the sources"


@dataclass(frozen=True, slots=True)
class Night:
    """One run: how long ago, what failed, and what became of it."""

    days_ago: float
    red: tuple[str, ...] = ()
    version: int = 4
    cause: str = Round.Cause.DUE
    outcome: str = Round.Outcome.FINE
    sentence: str = ""


_DRIFT = f"{_SLUG} fell from 100 % to 75 % on {_ALIAS}. No longer passes: {_REFUND}, {_STEPS}."


def _drifted(days_ago: float, cause: str = Round.Cause.DUE) -> Night:
    return Night(days_ago, (_REFUND, _STEPS), cause=cause, outcome=Round.Outcome.DRIFTED, sentence=_DRIFT)


NIGHTS = (
    Night(22, (_REFUND,), 3, Round.Cause.BY_HAND, sentence="Taken as the baseline."),
    *(Night(days, (_REFUND,), 3) for days in (21, 20, 19, 18, 17, 16)),
    Night(15.49, (), cause=Round.Cause.PROMOTION, sentence="production moved from v3 to v4. Taken as the baseline."),
    *(Night(days) for days in (15, 14, 13, 12, 11, 10)),
    Night(
        9,
        (_REFUND, _STEPS),
        outcome=Round.Outcome.SUSPICIOUS,
        sentence=f"Passed before and not now: {_REFUND}, {_STEPS}. Asked again at once.",
    ),
    _drifted(8.99, Round.Cause.AGAIN),
    _drifted(8),
    _drifted(7),
    *(Night(days) for days in (6, 5, 4)),
    Night(
        3,
        (_OFFLINE,),
        outcome=Round.Outcome.SUSPICIOUS,
        sentence=f"Passed before and not now: {_OFFLINE}. Asked again at once.",
    ),
    Night(2.99, cause=Round.Cause.AGAIN),
    *(Night(days) for days in (2, 1)),
)


def make_evaluations(people: dict[str, User]) -> None:
    """Make the tests, their schedule and its past. It is paused: the models it asks are made up."""
    prompt = Prompt.objects.get(slug=_SLUG, team__is_demo=True)
    by = people[_BY]
    actor = Actor("user", by.pk, by.name)
    cases = [
        create_case(
            actor=actor,
            prompt=prompt,
            name=name,
            variables={"product_area": "billing", "plan": "Team", "sources": sources, "question": question},
            checks=[{"kind": kind, "value": value} for kind, value in checks],
        )
        for name, question, sources, checks in CASES
    ]
    versions = {version.number: version for version in PromptVersion.objects.filter(prompt=prompt)}
    first = now() - dt.timedelta(days=NIGHTS[0].days_ago)
    TestCase.objects.filter(prompt=prompt).update(changed_at=first - dt.timedelta(hours=1))
    schedule = Schedule.objects.create(
        prompt=prompt,
        label="production",
        model=_ALIAS,
        environment="production",
        cron="0 3 * * *",
        is_paused=True,
        pause_reason="This is a demo: the models it asks are made up, so nothing is run any more.",
        acts_as_kind="user",
        acts_as_id=by.pk,
        acts_as_name=by.name,
        version=versions[4],
        pinned=_PINNED,
        next_at=now() + dt.timedelta(days=1),
        created_by_name=by.name,
        created_at=first,
    )
    runs = [_night(schedule, night, versions[night.version], cases) for night in NIGHTS]
    _freeze(schedule, runs[0], "The first run.")
    promoted = next(at for at, night in enumerate(NIGHTS) if night.cause == Round.Cause.PROMOTION)
    _freeze(schedule, runs[promoted], "production moved from v3 to v4.")
    _incident(schedule, runs)


def _night(schedule: Schedule, night: Night, version: PromptVersion, cases: list[TestCase]) -> TestRun:
    at = _at(night.days_ago)
    run = TestRun.objects.create(
        id=id_at(at),
        prompt=schedule.prompt,
        version=version,
        team=schedule.prompt.team,
        model=schedule.model,
        environment=schedule.environment,
        pinned=_PINNED,
        status=TestRun.Status.DONE,
        started_by_kind="user",
        started_by_id=schedule.acts_as_id,
        started_by_name=schedule.acts_as_name,
        started_at=at,
        finished_at=at + dt.timedelta(seconds=14),
    )
    TestResult.objects.bulk_create(_result(run, case, case.name in night.red) for case in cases)
    Round.objects.create(
        id=id_at(at),
        schedule=schedule,
        key=at.isoformat(),
        cause=night.cause,
        run=run,
        outcome=night.outcome,
        score=100 * (len(cases) - len(night.red)) / len(cases),
        lost=list(night.red) if night.version == 4 else [],
        sentence=night.sentence,
        at=at,
    )
    return run


def _at(days_ago: float) -> dt.datetime:
    """Return the moment so long before the last three in the morning, when the schedule is due."""
    moment = now()
    due = moment.replace(hour=3, minute=0, second=0, microsecond=0)
    return due - dt.timedelta(days=days_ago + (due > moment))


def _result(run: TestRun, case: TestCase, is_red: bool) -> TestResult:
    check: dict[str, Any] = {**case.checks[0], "passed": not is_red, "reason": ""}
    wanted = check.pop("value")
    check["title"] = f"{'Contains' if check['kind'] == 'contains' else 'Does not contain'}: {wanted}"
    if is_red:
        check["reason"] = "It is not there." if check["kind"] == "contains" else "It is there."
    says_it = (check["kind"] == "contains") != is_red
    return TestResult(
        run=run,
        case=case,
        name=case.name,
        spec=spec_of(case),
        status=TestResult.Status.FAILED if is_red else TestResult.Status.PASSED,
        output=f"Made up for the demo. {f'It says {wanted!r}.' if says_it else 'It says something else.'}",
        checks=[check],
        tokens=412,
        cost_micros=1_870,
        latency_us=1_640_000,
    )


def _freeze(schedule: Schedule, run: TestRun, reason: str) -> None:
    results = list(run.results.all())
    passed = sum(result.status == TestResult.Status.PASSED for result in results)
    assert run.finished_at is not None
    schedule.baseline = Baseline.objects.create(
        schedule=schedule,
        run=run,
        version=run.version,
        pinned=run.pinned,
        score=100 * passed / len(results),
        cases=frozen(results),
        reason=reason,
        taken_by_name="Facet",
        taken_at=run.finished_at,
    )
    schedule.save(update_fields=["baseline"])


def _incident(schedule: Schedule, runs: list[TestRun]) -> None:
    """The drift that was found, and ended by itself."""
    found = next(at for at, night in enumerate(NIGHTS) if night.outcome == Round.Outcome.DRIFTED)
    back = next(at for at in range(found, len(NIGHTS)) if NIGHTS[at].outcome == Round.Outcome.FINE)
    Incident.objects.create(
        schedule=schedule,
        run=runs[found],
        score_before=100,
        score_after=75,
        lost=[_REFUND, _STEPS],
        sentence=_DRIFT,
        opened_at=runs[found].started_at,
        closed_at=runs[back].finished_at,
        closed_by_name="Facet",
        closed_reason="Back within the tolerance: 100 %.",
    )
