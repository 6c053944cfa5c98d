"""Form fields for limits of runs: durations as people type them, money in the installation's currency."""

from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings

from agents_app.definition import RUN_DEFAULTS, RUN_LIMITS
from agents_app.limit_text import COST, SPANS, limit_text
from console.core import formatting

_MICROS = 1_000_000
_LABELS = {
    "steps": "Steps",
    "model_calls": "Model calls",
    "tool_calls": "Tool calls",
    "tokens": "Tokens",
    "seconds": "Working time",
    "identical_calls": "Identical calls in a row",
    "approval_seconds": "Approval timeout",
    "escalate_seconds": "Escalate approvals after",
}


class SpanField(forms.CharField):
    """A time, typed as 90 s, 15 min or 7 d; cleans to whole seconds, None when empty."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(
            max_length=60, widget=forms.TextInput(attrs={"placeholder": "90 s, 15 min, 2 h, 7 d"}), **kwargs
        )
        self.most = most

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            seconds = formatting.parse_duration(text)
        except ValueError:
            raise forms.ValidationError("Type a time as 90 s, 15 min, 2 h or 7 d.") from None
        if not 1 <= seconds <= self.most:
            raise forms.ValidationError(f"From 1 s to {formatting.exact_duration(self.most)}.")
        return seconds


class MoneyField(forms.DecimalField):
    """An amount in the installation's currency; cleans to millionths, None when empty."""

    def clean(self, value: Any) -> int | None:
        amount = super().clean(value)
        return None if amount is None else int(amount * _MICROS)


def limit_field(name: str, now: int | None) -> forms.Field:
    """Return the field of one limit of runs, with what it is now."""
    most, default = RUN_LIMITS[name], RUN_DEFAULTS.get(name)
    said: dict[str, Any] = {
        "required": False,
        "help_text": f"{limit_text(name, default)} by default." if default else "",
    }
    if name in SPANS:
        return SpanField(most=most, label=_LABELS[name], initial=formatting.exact_duration(now) if now else "", **said)
    if name == COST:
        return MoneyField(
            label=f"Cost, {settings.CURRENCY}",
            min_value=Decimal(1) / _MICROS,
            max_value=Decimal(most) / _MICROS,
            decimal_places=6,
            initial=f"{(Decimal(now) / _MICROS).normalize():f}" if now else None,
            **said,
        )
    return forms.IntegerField(min_value=1, max_value=most, label=_LABELS[name], initial=now, **said)
