"""The rule: what is drift, and what was one flaky case."""

import uuid

from console.evals.drift import Comparison, compare, digest, frozen, is_drift, is_suspicious, score_of
from console.evals.models import TestResult

_IDS = [uuid.UUID(int=at) for at in range(1, 41)]


def results(said: str, *, changed: int = 0) -> list[TestResult]:
    """One result per letter: + passed, - failed, ! could not be asked. The last `changed` ask something else now."""
    words = {"+": "passed", "-": "failed", "!": "error"}
    return [
        TestResult(
            case_id=_IDS[at],
            name=f"case {at}",
            status=words[one],
            spec={"message": at >= len(said) - changed and "new"},
        )
        for at, one in enumerate(said)
    ]


def against(before: str, after: str, *, changed: int = 0) -> Comparison:
    return compare(frozen(results(before)), results(after, changed=changed))


def test_it_compares_only_what_can_be_compared() -> None:
    seen = against("++-+", "+-+!+")
    assert (seen.compared, seen.not_compared, seen.errors) == (3, 1, 1)
    assert (round(seen.before), round(seen.after), seen.lost) == (67, 67, {str(_IDS[1]): "case 1"})
    assert against("+++", "+--", changed=2).compared == 1, "a test that was changed is another test"
    assert score_of(results("++-!")) == 100 * 2 / 3 and score_of(results("!!")) is None
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})


def test_one_flaky_case_is_no_drift() -> None:
    first, other, fine = against("++++", "-+++"), against("++++", "+-++"), against("++++", "++++")
    assert is_suspicious(first, 5) and not is_suspicious(fine, 5)
    assert not is_drift(first, fine, 5)
    assert not is_drift(first, against("!!!!", "++++"), 5), "a round that says nothing confirms nothing"
    assert is_drift(first, first, 5), "the same case twice in a row"
    assert not is_drift(first, first, 25), "that much was to be tolerated"
    assert is_drift(first, other, 5), "not the same case, but three of four both times"
    flaky = [against("+" * 40, "+" * at + "-" + "+" * (39 - at)) for at in (3, 7)]
    assert not is_drift(*flaky, 5), "one of forty"
    assert not is_drift(flaky[0], flaky[0], 5) and is_drift(flaky[0], flaky[0], 0)


def test_what_got_better_hides_no_loss() -> None:
    swapped = against("++--", "--++")
    assert (swapped.before, swapped.after) == (50, 50)
    assert is_drift(swapped, swapped, 5)
