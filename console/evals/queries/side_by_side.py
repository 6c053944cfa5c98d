"""The report of a replay as a table: metric, before, after, and whether the change is good."""

from collections.abc import Callable
from dataclasses import dataclass

from console.core import formatting
from console.evals.queries.replays import Report
from usage_app import amounts

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
    thousand, half, most, tokens = (
        (was.micros_of_thousand, was.p50_us, was.p95_us, was.tokens_each) if was else [None] * 4
    )
    each = [
        _line("Cost of 1,000 calls", thousand, now.micros_of_thousand, amounts.money),
        _line("Time to the answer, half of the calls", half, now.p50_us, formatting.duration),
        _line("Time to the answer, 95 of 100", most, now.p95_us, formatting.duration),
        _line("Tokens of a call", tokens, now.tokens_each, formatting.tokens),
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


def _line(title: str, was: int | None, now: int | None, say: Callable[[int], str]) -> Line:
    return Line(title, _NONE if was is None else say(was), _NONE if now is None else say(now), *_change(was, now))


def _errors(report: Report) -> Line:
    now = f"{report.errors} of {report.done}"
    if report.recorded is None:
        return Line("Errors", _NONE, now)
    more = report.errors - report.recorded_errors
    change = "" if report.waiting else formatting.number(more) if more <= 0 else f"+{formatting.number(more)}"
    return Line(
        "Errors",
        f"{report.recorded_errors} of {report.total}",
        now,
        change if more else "",
        None if not more else more < 0,
    )


def _percent(value: float | None) -> str:
    return _NONE if value is None else formatting.percent(value, 1)


def _points(change: float) -> tuple[str, bool | None]:
    if not change:
        return "0.0", None
    return f"{'+' if change > 0 else ''}{change:.1f}".replace("-", "\N{MINUS SIGN}"), change > 0


def _change(was: int | None, now: int | None) -> tuple[str, bool | None]:
    """Return how much more or less, in percent. Less is better: of cost, time and tokens."""
    if not was or now is None:
        return "", None
    percent = 100 * (now - was) / was
    said = formatting.percent(percent, 1)
    return (said if percent < 0 else f"+{said}"), None if abs(percent) < _NOTHING else percent < 0
