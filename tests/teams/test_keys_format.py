"""What a key looks like."""

import string

from hypothesis import given
from hypothesis import strategies as st

from console.core.scrub import scrub
from console.teams import keys

environments = st.sampled_from(["production", "sandbox"])


@given(environments)
def test_it_makes_keys_it_accepts(environment: str) -> None:
    key = keys.generate(environment)
    assert keys.is_well_formed(key)
    assert key.startswith(keys.PREFIXES[environment])
    assert len(keys.digest(key)) == 32


@given(environments, st.integers(min_value=0, max_value=keys.LENGTH - 1), st.sampled_from(string.printable))
def test_it_refuses_a_key_with_one_other_character(environment: str, place: int, character: str) -> None:
    key = keys.generate(environment)
    changed = key[:place] + character + key[place + 1 :]
    # CRC-32 sees every change of one character; only the prefix could turn into the other prefix, which is three.
    assert keys.is_well_formed(changed) == (changed == key)


@given(st.text(max_size=100))
def test_it_refuses_any_other_text(text: str) -> None:
    assert not keys.is_well_formed(text)


@given(environments, environments)
def test_it_never_makes_the_same_key_twice(one: str, other: str) -> None:
    assert keys.generate(one) != keys.generate(other)


def test_it_has_at_least_160_random_bits() -> None:
    assert 62**keys._RANDOM > 2**160


@given(environments)
def test_it_makes_keys_the_scrubber_takes_out(environment: str) -> None:
    text, found = scrub(f"Authorization: Bearer {keys.generate(environment)}")
    assert found == 1
    assert "fk_" not in text
