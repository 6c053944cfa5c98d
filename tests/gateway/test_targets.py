"""Who answers a call: shares of callers that are stable and true, and chains that skip what cannot serve."""

import uuid
from types import SimpleNamespace

from console.gateway.targets import is_in_share


def asked_by(who: str, **body: str) -> tuple[SimpleNamespace, SimpleNamespace]:
    return SimpleNamespace(actor_id=uuid.UUID(int=7)), SimpleNamespace(body={"user": who, **body})


def chosen(percent: int, callers: int = 10_000, alias: str = "support-chat") -> set[int]:
    return {n for n in range(callers) if is_in_share(percent, alias, *asked_by(f"customer {n}"))}


def test_ten_percent_of_ten_thousand_callers_within_sampling_error() -> None:
    ten = chosen(10)
    assert abs(len(ten) - 1000) < 4 * 30, "four standard deviations of a binomial with p = 0.1"
    assert chosen(10) == ten, "each caller always gets the same"
    assert ten < chosen(25) and chosen(100, 100) == set(range(100)), "a growing share keeps those it had"
    assert abs(len(ten & chosen(10, alias="sales-chat")) - 100) < 60, "another alias draws anew"


def test_an_identifier_for_safety_says_whom_a_call_is_for_before_the_user() -> None:
    both = [is_in_share(50, "a", *asked_by(str(n), safety_identifier="one and the same")) for n in range(50)]
    assert len(set(both)) == 1
