"""The rule of drift, without tables: worse than the baseline, or one flaky case?

1. Only what can be compared is: cases of the baseline that are still as they were then, and were answered.
2. A case is lost when it passed in the baseline and fails now. One round with more lost than the tolerance is only
   suspicious: models are not the same twice. It is repeated at once.
3. It is drift when both rounds say so: the cases lost in both of them are more points than the tolerance, or the better
   score of the two is more than the tolerance below the baseline's.

So a flaky case has to fail twice running, a loss is not hidden by cases that got better, and a model that fails here
and there is found by its score. With a tolerance of 0, any case that fails twice is drift.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from console.evals.models import TestResult

Status = TestResult.Status
ANSWERED = frozenset({Status.PASSED, Status.FAILED})


@dataclass(frozen=True, slots=True)
class Comparison:
    """One round against the baseline: scores of what both have, in points of 100, and the lost cases by id."""

    compared: int
    before: float
    after: float
    lost: dict[str, str]
    not_compared: int
    errors: int

    @property
    def points_lost(self) -> float:
        return points(len(self.lost), self.compared)


def points(part: int, total: int) -> float:
    return 100 * part / total if total else 0.0


def digest(spec: Mapping[str, Any]) -> str:
    """Return what tells whether a case is still the same."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]


def score_of(results: Iterable[TestResult]) -> float | None:
    """Return how many of the answered cases passed, in points of 100; None when none was answered."""
    parts = [result.status == Status.PASSED for result in results if result.status in ANSWERED]
    return points(sum(parts), len(parts)) if parts else None


def frozen(
    results: Iterable[TestResult], before: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Return a run as a baseline keeps it.

    A case that passed in the baseline `before` and is the same still counts as passed: else each promotion that loses
    less than the tolerance would make its loss the measure, and a prompt could fall forever.
    """
    passed_before = {(case, one["spec"]) for case, one in (before or {}).items() if one["passed"]}
    return {
        str(result.case_id): {
            "name": result.name,
            "passed": result.status == Status.PASSED or (str(result.case_id), digest(result.spec)) in passed_before,
            "spec": digest(result.spec),
        }
        for result in results
        if result.case_id is not None and result.status in ANSWERED
    }


def compare(cases: Mapping[str, Mapping[str, Any]], results: Iterable[TestResult]) -> Comparison:
    """Hold a run's results against the cases of a baseline."""
    lost: dict[str, str] = {}
    compared = passed_before = passed_now = others = errors = 0
    for result in results:
        was = cases.get(str(result.case_id))
        if result.status not in ANSWERED:
            errors += 1
        elif was is None or was["spec"] != digest(result.spec):
            others += 1
        else:
            is_passed = result.status == Status.PASSED
            compared, passed_before, passed_now = compared + 1, passed_before + was["passed"], passed_now + is_passed
            if was["passed"] and not is_passed:
                lost[str(result.case_id)] = result.name
    return Comparison(compared, points(passed_before, compared), points(passed_now, compared), lost, others, errors)


def not_shown(cases: Mapping[str, Mapping[str, Any]], results: Iterable[TestResult]) -> dict[str, str]:
    """Return the cases, by id, that passed in a baseline and in a run do not: also those that are gone by then.

    Of a case that changed since, it is what it asks now that has to pass.
    """
    passed = {str(result.case_id) for result in results if result.status == Status.PASSED}
    return {case: one["name"] for case, one in cases.items() if one["passed"] and case not in passed}


def is_suspicious(comparison: Comparison, tolerance: int) -> bool:
    return comparison.points_lost > tolerance


def lost_in_both(comparison: Comparison, other: Comparison) -> dict[str, str]:
    return {case: name for case, name in comparison.lost.items() if case in other.lost}


def is_drift(comparison: Comparison, other: Comparison, tolerance: int) -> bool:
    """Return whether two rounds, one after the other, are drift."""
    if not comparison.compared or not other.compared:
        return False
    kept_losing = points(len(lost_in_both(comparison, other)), min(comparison.compared, other.compared))
    fall = min(comparison.before - comparison.after, other.before - other.after)
    return kept_losing > tolerance or fall > tolerance
