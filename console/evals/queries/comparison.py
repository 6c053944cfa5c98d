"""Compare two versions case by case and check by check."""

import uuid
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet, Sum

from console.evals.checks import KINDS, share_passed
from console.evals.models import TestCase, TestResult, TestRun
from prompts_app.models import Prompt, PromptVersion

Status = TestResult.Status
_MOST_RUNS = 10


@dataclass(frozen=True, slots=True)
class Side:
    """One version of a comparison: the run that speaks for it, and its results by case."""

    version: PromptVersion
    run: TestRun | None
    results: dict[uuid.UUID | None, TestResult]

    @property
    def passed(self) -> int:
        return sum(result.status == Status.PASSED for result in self.results.values())


@dataclass(frozen=True, slots=True)
class Cell:
    result: TestResult | None
    is_stale: bool  # the case changed after this result

    @property
    def status(self) -> str:
        return self.result.status if self.result else ""


@dataclass(frozen=True, slots=True)
class Row:
    case: TestCase
    old: Cell
    new: Cell

    @property
    def change(self) -> str:
        """better, worse, or nothing when both say the same or one has not been tried."""
        was, is_now = self.old.status, self.new.status
        if not was or not is_now or Status.WAITING in {was, is_now}:
            return ""
        if (was == Status.PASSED) == (is_now == Status.PASSED):
            return "same"
        return "better" if is_now == Status.PASSED else "worse"


@dataclass(frozen=True, slots=True)
class KindRow:
    """How often one kind of check passed on either side, in percent; None where it was not tried."""

    title: str
    old: float | None
    new: float | None

    @property
    def change(self) -> float | None:
        return None if self.old is None or self.new is None else self.new - self.old


@dataclass(frozen=True, slots=True)
class Matrix:
    old: Side
    new: Side
    rows: list[Row]
    kinds: list[KindRow]


@dataclass(frozen=True, slots=True)
class Progress:
    run: TestRun
    total: int
    done: int
    passed: int
    red: int
    cost_micros: int

    @property
    def red_words(self) -> str:
        return f"{self.red} red"


def _side(version: PromptVersion) -> Side:
    """Return the newest run that was not stopped, also one that is continuing."""
    run = TestRun.objects.filter(version=version).exclude(status=TestRun.Status.STOPPED).first()
    results = run.results.defer("spec", "calls") if run else TestResult.objects.none()
    return Side(version, run, {result.case_id: result for result in results})


def _cell(side: Side, case: TestCase) -> Cell:
    is_stale = bool(side.run and case.changed_at > side.run.started_at)
    return Cell(side.results.get(case.pk), is_stale)


def matrix(prompt: Prompt, old: PromptVersion, new: PromptVersion) -> Matrix:
    """Return all cases on two versions. Five queries, however many there are."""
    a, b = _side(old), _side(new)
    rows = [Row(case, _cell(a, case), _cell(b, case)) for case in TestCase.objects.filter(prompt=prompt)]
    kinds = [KindRow(title, _share(a, kind), _share(b, kind)) for kind, title in KINDS.items()]
    return Matrix(a, b, rows, [row for row in kinds if row.old is not None or row.new is not None])


def _share(side: Side, kind: str) -> float | None:
    return share_passed(check for result in side.results.values() for check in result.checks if check["kind"] == kind)


def _counted(runs: QuerySet[TestRun]) -> list[Progress]:
    # What is grouped has no order of its own.
    rows = (
        runs.select_related("version")
        .order_by("-started_at", "-id")
        .annotate(
            total=Count("results"),
            waiting=Count("results", filter=Q(results__status=Status.WAITING)),
            passed=Count("results", filter=Q(results__status=Status.PASSED)),
            cost=Sum("results__cost_micros"),
        )
    )
    return [
        Progress(
            run, run.total, run.total - run.waiting, run.passed, run.total - run.waiting - run.passed, run.cost or 0
        )
        for run in rows[:_MOST_RUNS]
    ]


def runs_of(prompt: Prompt) -> list[Progress]:
    return _counted(TestRun.objects.filter(prompt=prompt))


def progress_of(run: TestRun) -> Progress:
    return _counted(TestRun.objects.filter(pk=run.pk))[0]
