"""Format numbers, money, durations and times as plain text. Template filters wrap these functions."""

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

SYMBOLS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "INR": "₹",
    "CNY": "¥",
    "KRW": "₩",
    "BRL": "R$",
    "CAD": "CA$",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_MINUS = "\u2212"
_UNITS = {"d": _DAY, "h": _HOUR, "min": _MINUTE, "m": _MINUTE, "s": 1}
_PART = re.compile(r"([0-9]{1,9}) ?(d|h|min|m|s)(?![a-z])")
_SPAN = re.compile(r"(?:[0-9]{1,9} ?(?:d|h|min|m|s)(?![a-z]) ?)+")


def as_text(value: object) -> str:
    """Return a value as one would type it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def currency_sign(currency: str) -> str:
    """Return the prefix of an amount: a sign, or else the code and a space."""
    return SYMBOLS.get(currency, f"{currency} ")


def with_article(noun: str) -> str:
    """Return `a member`, `an owner`. It goes by the first letter, not by sound."""
    noun = noun.lower()
    return f"{'an' if noun[:1] in set('aeiou') else 'a'} {noun}"


def money(micros: int | Decimal, currency: str, places: int | None = None) -> str:
    """Return an amount with two places, and below a cent with its first two digits: calls cost fractions of a cent.

    In a column, all have the same number of `places` (`money_places`), and less than these show is `<$0.0001`.
    """
    amount = abs(Decimal(micros)) / 1_000_000
    below = ""
    if places is None:
        places = min(6, -amount.adjusted() + 1) if 0 < amount < Decimal("0.01") else 2
    elif 0 < amount < (least := Decimal(1).scaleb(-places)):
        below, amount = "<", least
    return f"{below}{_MINUS if micros < 0 else ''}{currency_sign(currency)}{amount:,.{places}f}"


def money_places(column: Iterable[int | None]) -> int:
    """Return the number of places for all amounts (micro-units) of a column, so that their points line up.

    Two where there are whole cents or tens of dollars, four for what calls cost, six where all are tiny.
    """
    amounts = [abs(micros) for micros in column if micros]
    most = max(amounts, default=0)
    if most >= 10_000_000 or all(micros % 10_000 == 0 for micros in amounts):
        return 2
    return 4 if most >= 1_000 else 6


def number(value: float | Decimal) -> str:
    text = f"{value:,.1f}".removesuffix(".0") if isinstance(value, float) else f"{value:,}"
    return text.replace("-", _MINUS)


def plural(count: int, noun: str) -> str:
    """Return `1 model`, `1,200 models`: for nouns with a regular plural."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def tally(names: Iterable[str]) -> str:
    """Say each name once, with how often it is there: `fetch, store_piece × 3`."""
    return ", ".join(f"{name} × {count}" if count > 1 else name for name, count in Counter(names).items())


def tokens(value: int) -> str:
    """Return `1,234`, and from a million on `8.2 M`, `1.3 B`."""
    for limit, letter in ((1_000_000_000, "B"), (1_000_000, "M")):
        if abs(value) >= limit:
            return f"{value / limit:,.1f}".removesuffix(".0").replace("-", _MINUS) + f" {letter}"
    return number(value)


def duration(microseconds: float | Decimal) -> str:
    seconds = float(microseconds) / 1_000_000
    if seconds < 0.001:
        return f"{seconds * 1000:.1f} ms".replace("0.0 ms", "0 ms")
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def exact_duration(seconds: int) -> str:
    """Return an exact duration: `1 min 30 s` for 90 seconds, `7 d` for 604,800."""
    parts = []
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts) or "0 s"


def parse_duration(text: str) -> int:
    """Return the seconds of a duration as people type it (90, 15 min, 1 h 30 min, 7 d), or raise ValueError."""
    text = text.strip().lower()
    if text.isascii() and text.isdigit():
        return int(text)
    if not _SPAN.fullmatch(text):
        raise ValueError(text)
    return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))


def percent(value: float, places: int | None = None) -> str:
    """Return a percentage with one place at most, or two below one per cent; in a column, all with `places`."""
    if places is None and 0 < abs(value) < 1:
        places = 2
    text = f"{value:,.1f}".removesuffix(".0") if places is None else f"{value:,.{places}f}"
    return f"{text} %".replace("-", _MINUS)


def relative_time(moment: dt.datetime, now: dt.datetime) -> str:
    """Return `5 min ago`, `in 2 h`; beyond a day the date, with its year if it is another one."""
    seconds = round((now - moment).total_seconds())
    ahead, seconds = seconds < 0, abs(seconds)
    if seconds >= _DAY:
        return day(moment, now)
    if seconds < 5:
        return "just now"
    if seconds < _MINUTE:
        distance = f"{seconds} s"
    elif seconds < _HOUR:
        distance = f"{seconds // _MINUTE} min"
    else:
        distance = f"{seconds // _HOUR} h"
    return f"in {distance}" if ahead else f"{distance} ago"


def day(moment: dt.datetime, now: dt.datetime) -> str:
    moment, now = moment.astimezone(dt.UTC), now.astimezone(dt.UTC)
    text = f"{moment.day} {moment:%b}"
    return text if moment.year == now.year else f"{text} {moment.year}"


def full_time(moment: dt.datetime) -> str:
    moment = moment.astimezone(dt.UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def first_few(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


# In this order: most browsers claim to be the ones before them, too.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser(user_agent: str) -> str:
    name = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if name and system:
        return f"{name} on {system}"
    return name or system or user_agent[:60] or "Unknown browser"
