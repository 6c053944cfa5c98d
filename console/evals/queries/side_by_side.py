"""The report of a replay as a table shows it: a figure, what it was, what it is, and whether the change is good."""

from dataclasses import dataclass

from console.core import words
from console.evals.queries.replays import Figures, Report

_NONE = ""
# Smaller changes than this, in percent, are neither good nor bad.
_NOTHING = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """`is_good` is None where the change takes no side. Empty words: there is nothing to say."""

    title: str
    recorded: str
    candidate: str
    change: str = ""
    is_good: bool | None = None


def lines_of(report: Report) -> list[Line]:
    """Return the figures, cost first."""
    was, now = report.recorded, report.candidate
    each = [_money("Cost of 1,000 calls", was.micros_of_thousand if was else None, now.micros_of_thousand)]
    each += [
        _time("Time to the answer, half of the calls", was.p50_us if was else None, now.p50_us),
        _time("Time to the answer, 95 of 100", was.p95_us if was else None, now.p95_us),
        _tokens(was, now),
        _errors(report),
    ]
    each += [
        Line(
            f"Passed: {row.title}",
            _percent(row.recorded),
            _percent(row.candidate),
            *(("", None) if row.change is None else _points(row.change)),
        )
        for row in report.checks
    ]
    return each


def _money(title: str, was: int | None, now: int | None) -> Line:
    return Line(
        title,
        _NONE if was is None else words.money(was),
        _NONE if now is None else words.money(now),
        *_change(was, now),
    )


def _time(title: str, was: int | None, now: int | None) -> Line:
    return Line(
        title,
        _NONE if was is None else words.duration(was),
        _NONE if now is None else words.duration(now),
        *_change(was, now),
    )


def _tokens(was: Figures | None, now: Figures) -> Line:
    before, after = was.tokens_each if was else None, now.tokens_each
    return Line(
        "Tokens of a call",
        _NONE if before is None else words.tokens(before),
        _NONE if after is None else words.tokens(after),
        *_change(before, after),
    )


def _errors(report: Report) -> Line:
    now = f"{report.errors} of {report.done}"
    if report.recorded is None:
        return Line("Errors", _NONE, now)
    more = report.errors - report.recorded_errors
    change = "" if report.waiting else words.number(more) if more <= 0 else f"+{words.number(more)}"
    return Line(
        "Errors",
        f"{report.recorded_errors} of {report.total}",
        now,
        change if more else "",
        None if not more else more < 0,
    )


def _percent(value: float | None) -> str:
    return _NONE if value is None else words.percent(value, 1)


def _points(change: float) -> tuple[str, bool | None]:
    if not change:
        return "0.0", None
    return f"{'+' if change > 0 else ''}{change:.1f}".replace("-", "\N{MINUS SIGN}"), change > 0


def _change(was: int | None, now: int | None) -> tuple[str, bool | None]:
    """Return how much more or less, in percent. Less is better: of cost, time and tokens."""
    if not was or now is None:
        return "", None
    percent = 100 * (now - was) / was
    said = words.percent(percent, 1)
    return (said if percent < 0 else f"+{said}"), None if abs(percent) < _NOTHING else percent < 0
