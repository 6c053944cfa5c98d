"""The forms of alert rules. Latency is typed as people say it (`2.5 s`), and kept in milliseconds."""

import re
from typing import Any

from django import forms

from console.core.forms import seen_field
from console.teams.forms.base import ConsoleForm
from console.teams.models import Environment, Team
from usage_app.models import AlertRule, RuleMetric
from usage_app.services.alert_rules import MOST, MOST_CALLS, MOST_MINUTES, aliases_of

_VALUE = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?) ?(%|percent|ms|s|min)?")
# In the unit a threshold is kept in; without one, percent and seconds are meant.
_UNITS: dict[str, dict[str, int]] = {
    RuleMetric.ERRORS: {"": 1, "%": 1, "percent": 1},
    RuleMetric.LATENCY: {"": 1_000, "ms": 1, "s": 1_000, "min": 60_000},
}
_WRITE = {
    RuleMetric.ERRORS: f"Write whole percent from 1 to {MOST[RuleMetric.ERRORS]}.",
    RuleMetric.LATENCY: "Write a time of up to an hour, for example 2.5 s or 800 ms.",
}


def threshold_of(metric: str, text: str) -> int:
    """Return a threshold in the unit it is kept in; ValueError, with a sentence, where it is none."""
    found = _VALUE.fullmatch(text.strip().lower())
    factor = _UNITS[metric].get(found[2] or "") if found else None
    value = float(found[1]) * factor if found and factor else 0.0
    if not (value.is_integer() and 1 <= value <= MOST[metric]):
        raise ValueError(_WRITE[RuleMetric(metric)])
    return int(value)


def _typed(rule: AlertRule) -> str:
    if rule.metric == RuleMetric.ERRORS:
        return str(rule.threshold)
    return f"{rule.threshold} ms" if rule.threshold % 100 else f"{rule.threshold / 1000:g} s"


class RuleForm(ConsoleForm):
    """A rule of a team, or of the installation; of one there is, its metric and what calls it is of stay."""

    metric = forms.ChoiceField(label="Notify when", choices=[
        (RuleMetric.ERRORS.value, "The error rate is above the threshold: calls that failed for their callers"),
        (RuleMetric.LATENCY.value, "The latency is above the threshold: its 95th percentile (p95)"),
    ], initial=RuleMetric.ERRORS.value, widget=forms.RadioSelect)  # fmt: skip
    alias = forms.ChoiceField(required=False)
    environment = forms.ChoiceField(choices=Environment.choices, initial=Environment.PRODUCTION.value)
    threshold = forms.CharField(
        max_length=20, help_text="In percent for the error rate, for example 5; a time for latency, for example 2.5 s."
    )
    minutes = forms.IntegerField(
        min_value=1, max_value=MOST_MINUTES, initial=10, help_text="How many of the last minutes are looked at."
    )
    least_calls = forms.IntegerField(
        label="Minimum calls",
        min_value=1,
        max_value=MOST_CALLS,
        initial=20,
        help_text="With fewer in these minutes nothing is said.",
    )
    seen_revision = seen_field()

    def __init__(self, *args: Any, team: Team | None = None, rule: AlertRule | None = None, **kwargs: Any) -> None:
        self.rule = rule
        if rule is not None:
            kwargs["initial"] = {
                "threshold": _typed(rule),
                "minutes": rule.minutes,
                "least_calls": rule.least_calls,
                "seen_revision": rule.revision,
            }
        super().__init__(*args, **kwargs)
        if rule is None:
            del self.fields["seen_revision"]
            names = aliases_of(team).values_list("name", flat=True)
            self.fields["alias"].choices = [  # type: ignore[attr-defined]
                ("", "All calls"), *((name, name) for name in names)
            ]  # fmt: skip
            return
        for name in ("metric", "alias", "environment"):
            del self.fields[name]
        hints = {RuleMetric.ERRORS: "In percent.", RuleMetric.LATENCY: "For example 2.5 s or 800 ms."}
        self.fields["threshold"].help_text = hints[RuleMetric(rule.metric)]

    def clean(self) -> None:
        metric = self.rule.metric if self.rule else self.cleaned_data.get("metric")
        if metric and "threshold" in self.cleaned_data:
            try:
                self.cleaned_data["threshold"] = threshold_of(metric, self.cleaned_data["threshold"])
            except ValueError as error:
                self.add_error("threshold", str(error))
