"""Format the limits of runs for people."""

from django.conf import settings

from console.core import formatting

SPANS = frozenset({"seconds", "approval_seconds", "escalate_seconds"})
COST = "cost_micros"


def limit_text(name: str, value: int) -> str:
    if name in SPANS:
        return formatting.exact_duration(value)
    return formatting.money(value, settings.CURRENCY) if name == COST else formatting.number(value)
