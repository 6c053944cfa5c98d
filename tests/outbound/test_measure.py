"""Counting what JSON holds before anybody reads it, however its bytes arrive."""

import json
import random

import pytest

from console.core.errors import ProviderError
from console.outbound.measure import Budget, Measure


def counted(raw: bytes, cuts: list[int]) -> int:
    budget = Budget(10_000)
    measure = Measure(budget)
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    for begin, end in zip(places, places[1:], strict=False):
        measure.feed(raw[begin:end])
    return 10_000 - budget.values


def size_of(value: object) -> int:
    """Return how many commas and opening brackets a value is written with."""
    if not isinstance(value, list | dict):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(len(value) - 1, 0) + sum(map(size_of, inner))


def made_up(chance: random.Random, depth: int = 0) -> object:
    kind = chance.randrange(4 if depth < 4 else 2)
    if kind == 0:
        return chance.choice([None, 17, -2.5, True])
    if kind == 1:
        return "".join(chance.choices('ab"\\\\,[{\n\r:ä', k=chance.randrange(8)))
    inner = [made_up(chance, depth + 1) for _ in range(chance.randrange(5))]
    return inner if kind == 2 else {f'{place}"\\,': value for place, value in enumerate(inner)}


def test_it_counts_values_and_not_what_stands_in_texts():
    chance = random.Random(1)
    for indent in [None, 1] * 100:
        value = made_up(chance)
        written = f"data: {json.dumps(value, indent=indent, ensure_ascii=False)}\n\n".encode()
        for cuts in ([], list(range(len(written))), chance.choices(range(500), k=5)):
            assert counted(written, cuts) == size_of(value), written


def test_what_looks_like_a_text_without_end_hides_nothing_on_the_next_line():
    for hidden in (': "\n[1,1]', '"\\\n[1,1]', '"\r[1,1]'):
        for cuts in ([], list(range(20))):
            assert counted(hidden.encode(), cuts) == 2, (hidden, cuts)


def test_it_stops_early_and_for_all_answers_together():
    budget = Budget(100)
    Measure(budget).feed(b"[" + b"1," * 80)
    with pytest.raises(ProviderError, match="more values"):
        Measure(budget).feed(b"[" + b"1," * 80)
    with pytest.raises(ProviderError, match="more values"):
        Measure(Budget(100)).feed(b'""' * 1_000)
