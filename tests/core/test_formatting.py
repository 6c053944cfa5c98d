import datetime as dt

import pytest

from console.core import formatting

NOW = dt.datetime(2026, 11, 22, 14, 31, 52, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("micros", "said"),
    [
        (3_284_170_000, "$3,284.17"),
        (0, "$0.00"),
        (10_000, "$0.01"),
        (7_100, "$0.0071"),
        (7_000, "$0.0070"),
        (450, "$0.00045"),
        (1, "$0.000001"),
        (-3_200_000, "\u2212$3.20"),
        (-1, "\u2212$0.000001"),
    ],
)
def test_it_writes_money(micros: int, said: str) -> None:
    assert formatting.money(micros, "USD") == said


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ([7_100, 12_340, 0, None, 12], ["$0.0071", "$0.0123", "$0.0000", "<$0.0001"]),
        ([3_284_170_000, 2_000, -1_500_000], ["$3,284.17", "<$0.01", "\u2212$1.50"]),
        ([10_000, 1_500_000, 0], ["$0.01", "$1.50", "$0.00"]),
        ([450, 1], ["$0.000450", "$0.000001"]),
        ([], []),
    ],
)
def test_money_lines_up_in_a_column(column: list[int | None], said: list[str]) -> None:
    places = formatting.money_places(column)
    assert [formatting.money(micros, "USD", places) for micros in column if micros is not None] == said


def test_it_writes_other_currencies() -> None:
    assert formatting.money(1_500_000, "EUR") == "€1.50"
    assert formatting.money(1_500_000, "CHF") == "CHF 1.50"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0"),
        (1506, "1,506"),
        (412_806, "412,806"),
        (8_200_000, "8.2 M"),
        (8_000_000, "8 M"),
        (1_300_000_000, "1.3 B"),
    ],
)
def test_it_writes_tokens(count: int, said: str) -> None:
    assert formatting.tokens(count) == said


@pytest.mark.parametrize(
    ("microseconds", "said"),
    [
        (0, "0 ms"),
        (400, "0.4 ms"),
        (412_000, "412 ms"),
        (999_400, "999 ms"),
        (999_600, "1.00 s"),
        (1_840_000, "1.84 s"),
        (12_400_000, "12.4 s"),
        (59_960_000, "1 min 00 s"),
        (248_000_000, "4 min 08 s"),
        (3_900_000_000, "1 h 05 min"),
    ],
)
def test_it_writes_durations(microseconds: int, said: str) -> None:
    assert formatting.duration(microseconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (70, "70 %"),
        (91.3, "91.3 %"),
        (0.42, "0.42 %"),
        (0.6, "0.60 %"),
        (0, "0 %"),
        (100, "100 %"),
        (-2.5, "\u22122.5 %"),
    ],
)
def test_it_writes_percentages(value: float, said: str) -> None:
    assert formatting.percent(value) == said


def test_in_a_column_percentages_have_as_many_places() -> None:
    assert [formatting.percent(value, 2) for value in (0, 0.3, 0.384, 12)] == ["0.00 %", "0.30 %", "0.38 %", "12.00 %"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (2, "just now"),
        (12, "12 s ago"),
        (250, "4 min ago"),
        (3600, "1 h ago"),
        (86_399, "23 h ago"),
        (86_400, "21 Nov"),
        (-240, "in 4 min"),
        (-86_400 * 60, "21 Jan 2027"),
    ],
)
def test_it_writes_times_as_people_say_them(seconds: int, said: str) -> None:
    assert formatting.relative_time(NOW - dt.timedelta(seconds=seconds), NOW) == said


def test_it_writes_the_whole_time_with_its_zone() -> None:
    berlin = dt.timezone(dt.timedelta(hours=1))
    assert formatting.full_time(dt.datetime(2026, 11, 9, 15, 0, 1, tzinfo=berlin)) == "9 Nov 2026, 14:00:01 UTC"


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "Unknown browser"),
    ],
)  # fmt: skip
def test_it_names_browsers(agent: str, said: str) -> None:
    assert formatting.browser(agent) == said


def test_it_reads_spans_as_it_writes_them() -> None:
    for seconds, said in {
        1: "1 s",
        90: "1 min 30 s",
        900: "15 min",
        5400: "1 h 30 min",
        604_800: "7 d",
        0: "0 s",
    }.items():
        assert formatting.exact_duration(seconds) == said
        assert formatting.parse_duration(said) == seconds
    for typed, seconds in {" 90 ": 90, "2h": 7200, "1 D 6 h": 108_000, "5m": 300}.items():
        assert formatting.parse_duration(typed) == seconds
    for typed in ("", "soon", "1.5 h", "-3 s", "3 weeks", "5 mins", "1 h and 5 min"):
        with pytest.raises(ValueError):
            formatting.parse_duration(typed)
