"""Format and parse amounts in the unit of their metric."""

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, Overflow

from django.conf import settings

from console.core import formatting
from usage_app.models import Metric

MICROS = 1_000_000
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d*)?[kKmM]?")


def currency_sign() -> str:
    return formatting.currency_sign(settings.CURRENCY)


def money(micros: int) -> str:
    return formatting.money(micros, settings.CURRENCY)


def count(metric: str, number: int) -> str:
    """Requests in full; tokens in full up to a million, then `8.2 M`."""
    return formatting.tokens(number) if metric == Metric.TOKENS else formatting.number(number)


def in_words(metric: str, amount: int) -> str:
    return money(amount) if metric == Metric.COST else count(metric, amount)


def rough(metric: str, amount: int) -> str:
    """For forecasts, which know no cents: `$2,590`."""
    if metric == Metric.COST and amount >= 10 * MICROS:
        return f"{currency_sign()}{Decimal(amount) / MICROS:,.0f}"
    if metric == Metric.COST:
        return money(amount)
    return count(metric, amount)


def for_input(metric: str, amount: int) -> str:
    """The amount as a form field holds it: currency units for cost, a plain number otherwise."""
    if metric != Metric.COST:
        return str(amount)
    value = Decimal(amount) / MICROS
    return f"{value:.2f}" if value == value.quantize(Decimal("0.01")) else f"{value.normalize():f}"


def parse(metric: str, text: str) -> int:
    """Return the amount in the metric's own unit; spaces, thousands separators and a currency sign are forgiven.

    `2.5 M` and `250k` are understood. Raises ValueError with a sentence.
    """
    raw = text.strip().replace("_", "").replace("\u202f", "").replace(" ", "")
    raw = raw.removeprefix(currency_sign().strip())
    if "," in raw and not _THOUSANDS.fullmatch(raw):
        # 9,50 is nine and a half to whoever writes so: it must not become nine hundred and fifty.
        raise ValueError("Write a comma between thousands alone, and a point before decimals, as in 1,200.50.")
    raw = raw.replace(",", "")
    factor = 1
    if raw[-1:] in {"k", "K", "m", "M"}:
        factor = 1000 if raw[-1] in "kK" else MICROS
        raw = raw[:-1]
    try:
        value = Decimal(raw) * factor
    except InvalidOperation:
        raise ValueError("Write a number.") from None
    except Overflow:
        raise ValueError("That number is too large.") from None
    if not value.is_finite() or abs(value) > 10**15:
        raise ValueError("That number is too large.")
    if metric == Metric.COST:
        micros = int((value * MICROS).quantize(Decimal(1), ROUND_HALF_UP))
        if value and not micros:  # a limit of nothing refuses everything
            raise ValueError("The least there is to count is 0.000001.")
        return micros
    if value != value.to_integral_value():
        raise ValueError("Write a whole number.")
    return int(value)
