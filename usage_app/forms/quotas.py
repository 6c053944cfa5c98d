"""Forms of quotas. Amounts are typed in the unit people use; see usage_app.amounts."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django import forms

from console.catalog.models import Alias
from console.core.clock import now
from console.core.forms import seen_field
from console.teams.models import ApiKey, Team
from usage_app import amounts
from usage_app.models import Metric, Mode, Nameless, Purpose, Quota, Window
from usage_app.scopes import subjects_of

_METRICS = (Metric.COST, Metric.TOKENS, Metric.REQUESTS)
_WINDOWS = (Window.MONTH, Window.DAY, Window.HOUR, Window.MINUTE)
WHATS = [
    *(
        (metric.label, [(f"{metric}:{window}", f"{metric.label} per {window}") for window in _WINDOWS])
        for metric in _METRICS
    ),
    ("Concurrency", [(f"{Metric.CONCURRENCY}:", "Concurrent calls")]),
]
_MODES = [
    (Mode.HARD, "Hard: refuse further calls with 429"),
    (Mode.SOFT, "Soft: warn the owners, keep serving"),
]


_TOGETHER = "together"
# By what becomes of a call that names none.
_EACH = [
    (Nameless.PASS.value, "Each end user separately; calls without one are not limited"),
    (Nameless.REFUSE.value, "Each end user separately; calls of keys and widgets without one are refused"),
]


class AmountField(forms.CharField):
    """A limit as people write it: `2,200`, `$0.50`, `2.5 M`. The form parses it once it knows the metric."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 30)
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(**kwargs)


class _AmountForm(forms.Form):
    """A form with one amount; `_parse` puts a sentence at the field instead of raising."""

    def _parse(self, name: str, metric: str) -> None:
        if name not in self.cleaned_data:
            return
        try:
            amount = amounts.parse(metric, self.cleaned_data[name])
        except ValueError as error:
            self.add_error(name, str(error))
            return
        if amount < 0:
            self.add_error(name, "A limit cannot be negative.")
            return
        self.cleaned_data[name] = amount


def unit_hint(metric: str) -> str:
    match metric:
        case Metric.COST:
            return f"In {amounts.currency_sign().strip()}, for example 2,200 or 0.50."
        case Metric.CONCURRENCY:
            return "How many calls may be open at the same time."
    return f"A number of {metric}. 250k and 2.5 M are understood."


class SetQuotaForm(_AmountForm):
    applies_to = forms.ChoiceField(label="Applies to")
    what = forms.ChoiceField(label="Metric", choices=WHATS, initial=f"{Metric.COST}:{Window.MONTH}")
    limit = AmountField(
        label="Limit",
        help_text="Cost in the installation's currency, for example 2,200 or 0.50; tokens and requests as numbers, for"
        " example 250k or 2.5 M.",
    )
    mode = forms.ChoiceField(label="At the limit", choices=_MODES, initial=Mode.HARD, widget=forms.RadioSelect)
    counted = forms.ChoiceField(
        label="Counting",
        choices=[(_TOGETHER, "All calls together"), *_EACH],
        initial=_TOGETHER,
        widget=forms.RadioSelect,
        help_text="An end user is named by a call in user, safety_identifier or metadata.user_id, or verified by a "
        "widget's "
        "site. Refuse only if every call names one; people who are signed in here are always admitted.",
    )

    def __init__(self, *args: Any, teams: Sequence[Team], allows_team_wide: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._teams = {str(team.pk): team for team in teams}
        self._keys = {
            str(key.pk): key
            for key in ApiKey.objects.filter(team__in=teams, revoked_at=None).select_related("team").order_by("name")
        }
        choices: dict[Team, list[tuple[str, str]]] = defaultdict(list)
        for team in teams:
            choices[team].append((f"team:{team.pk}", f"All of {team}"))
            if allows_team_wide:
                choices[team].append((f"shadow:{team.pk}", f"Shadow copies of {team}'s calls"))
        for key in self._keys.values():
            choices[self._teams[str(key.team_id)]].append((f"key:{key.pk}", f"Key {key.name} ({key.shown})"))
        for alias in Alias.objects.prefetch_related("teams"):
            open_to = set(alias.teams.all())
            for team in teams:
                if not open_to or team in open_to:
                    choices[team].append((f"alias:{team.pk}:{alias.name}", f"Alias {alias.name}"))
        self._subjects = {
            f"{subject.kind}:{subject.team_id}:{subject.value}": subject for subject in subjects_of(teams)
        }
        for value, subject in self._subjects.items():
            choices[self._teams[str(subject.team_id)]].append((value, f"{subject.kind.capitalize()} {subject.name}"))
        field = self.fields["applies_to"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(team.name, found) for team, found in choices.items() if found]
        if not allows_team_wide:
            field.help_text = "Quotas of the whole team are set by operators and apply in addition."
        self._allows_team_wide = allows_team_wide

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "what" in data:
            data["metric"], _, data["window"] = data["what"].partition(":")
            self._parse("limit", data["metric"])
            if data["metric"] == Metric.CONCURRENCY and data.get("mode") == Mode.SOFT:
                self.add_error(
                    "mode", "A limit of concurrent calls is always hard: there is nothing to warn about later."
                )
        self._check_counted(data)
        return data

    def _check_counted(self, data: dict[str, Any]) -> None:
        kind = data.get("applies_to", "").partition(":")[0]
        counted = data.get("counted")
        if kind == "team" and counted == _TOGETHER and not self._allows_team_wide:
            self.add_error(
                "counted", "Only operators limit all of a team together; limit each end user, or one key of it."
            )
        elif counted != _TOGETHER and kind == "shadow":
            self.add_error("counted", "Shadow copies have no end user; count them together.")
        elif counted != _TOGETHER and data.get("metric") == Metric.CONCURRENCY:
            self.add_error(
                "counted", "Concurrent calls cannot be limited for each end user; limit requests per minute instead."
            )

    @property
    def is_team_wide(self) -> bool:
        kind = self.cleaned_data["applies_to"].partition(":")[0]
        return kind in {"team", "shadow"} and self.cleaned_data["counted"] == _TOGETHER

    def values(self) -> dict[str, Any]:
        """What `set_quota` takes."""
        data = self.cleaned_data
        kind, _, rest = data["applies_to"].partition(":")
        key = self._keys[rest] if kind == "key" else None
        team = key.team if key else self._teams[rest.partition(":")[0]]
        return {
            "team": team,
            "key": key,
            "alias": rest.partition(":")[2] if kind == "alias" else "",
            "agent": rest.partition(":")[2] if kind == "agent" else "",
            "widget": self._subjects[data["applies_to"]] if kind == "widget" else None,
            "purpose": Purpose.SHADOW if kind == "shadow" else Purpose.CALLS,
            "metric": data["metric"],
            "window": data["window"],
            "limit": data["limit"],
            "mode": data["mode"],
            "each_end_user": data["counted"] != _TOGETHER,
            "nameless": Nameless.PASS if data["counted"] == _TOGETHER else data["counted"],
        }


class ChangeQuotaForm(_AmountForm):
    limit = AmountField(label="Limit")
    mode = forms.ChoiceField(label="At the limit", choices=_MODES, widget=forms.RadioSelect)
    nameless = forms.ChoiceField(label="Calls without an end user", choices=Nameless.choices, widget=forms.RadioSelect)
    seen_revision = seen_field()

    def __init__(self, *args: Any, quota: Quota, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "limit": amounts.for_input(quota.metric, quota.limit),
            "mode": quota.mode,
            "nameless": quota.nameless,
            "seen_revision": quota.revision,
        }
        super().__init__(*args, **kwargs)
        self._metric = quota.metric
        self.fields["limit"].help_text = unit_hint(quota.metric)
        if quota.metric == Metric.CONCURRENCY:
            self.fields["mode"] = forms.ChoiceField(choices=_MODES[:1], widget=forms.HiddenInput)
        if not quota.each_end_user:
            del self.fields["nameless"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._parse("limit", self._metric)
        return data


class IncreaseForm(_AmountForm):
    amount = AmountField(label="Raise by")
    ends_at = forms.DateTimeField(
        label="Until (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        help_text="Then the limit returns to its old value.",
    )
    reason = forms.CharField(label="Why", max_length=300, help_text="Kept in the audit log.")

    def __init__(self, *args: Any, quota: Quota, until: dt.datetime | None, **kwargs: Any) -> None:
        kwargs["initial"] = {"ends_at": until or now() + dt.timedelta(days=1)}
        super().__init__(*args, **kwargs)
        self._metric = quota.metric
        self.fields["amount"].help_text = unit_hint(quota.metric)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        self._parse("amount", self._metric)
        if data.get("amount") == 0:
            self.add_error("amount", "Enter an amount above zero.")
        if data.get("ends_at") and data["ends_at"] <= now():
            self.add_error("ends_at", "That is in the past; choose a later time.")
        return data
