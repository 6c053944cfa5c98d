from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_app import amounts


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "$0.00"), (7_100, "$0.0071"), (10_000, "$0.01"), (3_284_170_000, "$3,284.17"), (12, "$0.000012")],
)
def test_money(micros: int, text: str) -> None:
    assert amounts.money(micros) == text


def test_it_reads_the_sign_it_writes(settings: Any) -> None:
    """As everywhere in the console: the page of quotas had a list of its own, without this one."""
    settings.CURRENCY = "INR"
    assert amounts.rough("cost", 300_000_000) == "₹300" and amounts.parse("cost", "₹300") == 300_000_000
    settings.CURRENCY = "CHF"
    assert amounts.money(7_100) == "CHF 0.0071" and amounts.parse("cost", "CHF 300") == 300_000_000


@pytest.mark.parametrize(
    ("metric", "number", "text"),
    [
        ("requests", 1506, "1,506"),
        ("requests", 20_000_000, "20,000,000"),
        ("tokens", 412_806, "412,806"),
        ("tokens", 8_200_000, "8.2 M"),
        ("tokens", 20_000_000, "20 M"),
    ],
)
def test_counts(metric: str, number: int, text: str) -> None:
    assert amounts.in_words(metric, number) == text


@pytest.mark.parametrize(
    ("metric", "text", "amount"),
    [
        ("cost", "2,200", 2_200_000_000),
        ("cost", "$0.50", 500_000),
        ("tokens", "2.5 M", 2_500_000),
        ("tokens", "250k", 250_000),
        ("requests", "1,000", 1000),
        ("cost", "$1,234,567.5", 1_234_567_500_000),
    ],
)
def test_what_people_type(metric: str, text: str, amount: int) -> None:
    assert amounts.parse(metric, text) == amount


@pytest.mark.parametrize(
    ("metric", "text"),
    [("cost", "ten"), ("tokens", "1.5"), ("tokens", ""), ("cost", "NaN"), ("cost", "1e30"), ("cost", "Infinity")]
    + [("tokens", "1e999999M"), ("cost", "9e999999k"), ("cost", "1e-999999")]
    + [("cost", "0.0000001"), ("cost", "-0.0000001")]
    + [("cost", text) for text in ("9,50", "1.200,50", "1,2000", "12,34,567", ",500", "1,20 k")],
)
def test_what_makes_no_sense(metric: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        amounts.parse(metric, text)


@given(st.sampled_from(["cost", "tokens", "requests"]), st.integers(0, 10**14))
def test_what_a_field_shows_is_read_back(metric: str, amount: int) -> None:
    assert amounts.parse(metric, amounts.for_input(metric, amount)) == amount
