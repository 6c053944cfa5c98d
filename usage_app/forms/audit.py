"""The filter of the audit log, as in its URL."""

import datetime as dt
import re
import uuid
from contextlib import suppress
from typing import Any

from django import forms
from django.http import QueryDict

from console.audit.models import EventType, Status
from console.audit.redaction import kept_name
from console.audit.search import Criteria
from console.catalog.models import Alias
from console.core.clock import now, period_start
from console.core.ids import parse_request_id
from console.teams.models import ApiKey, Environment, User
from usage_app.access_audit import Sight

RANGES: dict[str, tuple[str, dt.timedelta]] = {
    "1h": ("Last hour", dt.timedelta(hours=1)),
    "24h": ("Last 24 hours", dt.timedelta(hours=24)),
    "7d": ("Last 7 days", dt.timedelta(days=7)),
    "30d": ("Last 30 days", dt.timedelta(days=30)),
    "90d": ("Last 90 days", dt.timedelta(days=90)),
}
# Whole days of UTC, as the log shows its times: how many days ago each began, and how many it lasts, if it is over.
DAYS: dict[str, tuple[str, int, int | None]] = {"today": ("Today", 0, None), "yesterday": ("Yesterday", 1, 1)}
_TIMES = [(name, RANGES[name][0]) for name in ("1h", "24h")]
_TIMES += [(name, words) for name, (words, _, _) in DAYS.items()]
_TIMES += [(name, RANGES[name][0]) for name in RANGES if name not in dict(_TIMES)]
_MOST_CHOICES = 200
# A prompt's name, or one of its versions, as the library writes them; that room is beside this one.
_PROMPT = re.compile(r"[a-z0-9][a-z0-9_/-]*(@[1-9][0-9]{0,8})?")
# Said as the rows say it, and what is behind it.
_KINDS = EventType.choices[:-2] + [
    (EventType.ADMIN.value, "Change"),
    (EventType.ACCESS.value, "Access: sign-in and reading"),
]


class _MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"


def _moment(label: str) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label, required=False, widget=_MomentInput(format="%Y-%m-%dT%H:%M"), help_text="UTC"
    )


def _span(name: str) -> tuple[dt.datetime, dt.datetime | None]:
    """Return the first moment of a named time and the first after it; None where it continues until now."""
    if name in RANGES:
        return now() - RANGES[name][1], None
    _, ago, days = DAYS[name]
    start = period_start("day", now()) - dt.timedelta(days=ago)
    return start, start + dt.timedelta(days=days) if days else None


class AuditFilterForm(forms.Form):
    """Every field is optional. `since` and `until` go before `range`."""

    q = forms.CharField(label="Text", required=False, max_length=200, strip=True)
    range = forms.ChoiceField(label="Time", required=False, choices=[("", "Any time"), *_TIMES])
    since = _moment("From")
    until = _moment("Until")
    type = forms.MultipleChoiceField(label="Kind", required=False, choices=_KINDS, widget=forms.CheckboxSelectMultiple)
    status = forms.MultipleChoiceField(
        label="Status", required=False, choices=Status.choices, widget=forms.CheckboxSelectMultiple
    )
    key = forms.TypedChoiceField(label="API key", required=False, coerce=uuid.UUID, empty_value=None)
    alias = forms.CharField(label="Alias", required=False, max_length=100)
    person = forms.TypedChoiceField(label="Person", required=False, coerce=uuid.UUID, empty_value=None)
    end_user = forms.CharField(label="End user", required=False, max_length=1000, strip=True)
    metadata = forms.CharField(
        label="Metadata",
        required=False,
        max_length=600,
        strip=True,
        widget=forms.TextInput(attrs={"placeholder": "project=returns"}),
    )
    environment = forms.ChoiceField(label="Environment", required=False, choices=[("", "Any"), *Environment.choices])
    prompt = forms.CharField(label="Prompt", required=False, max_length=210)
    rating = forms.ChoiceField(
        label="Rating",
        required=False,
        choices=[("", "Any"), ("good", "Good"), ("bad", "Bad"), ("rated", "Good or bad")],
    )
    trace = forms.RegexField(
        r"^[0-9a-f]{32}\Z",
        label="Trace",
        required=False,
        error_messages={"invalid": "A trace id has 32 hexadecimal digits in lower case."},
    )

    def __init__(self, data: QueryDict, *, sight: Sight) -> None:
        super().__init__(data)
        self.sight = sight
        keys = ApiKey.objects.filter(team__in=sight.teams).order_by("name").select_related("team")[:_MOST_CHOICES]
        people = (
            User.objects.all() if sight.team_ids is None else User.objects.filter(memberships__team__in=sight.teams)
        )
        people = people.order_by("email").distinct()[:_MOST_CHOICES]
        self._name("key", [(str(key.pk), f"{key.name} ({key.shown})") for key in keys], data.get("key", ""))
        self._name("person", [(str(person.pk), str(person)) for person in people], data.get("person", ""))
        self.aliases = list(Alias.objects.order_by("name").values_list("name", flat=True)[:_MOST_CHOICES])
        self.fields["alias"].widget.attrs["list"] = "audit-aliases"

    def _name(self, field: str, choices: list[tuple[str, str]], chosen: str) -> None:
        """Offer the choices, and keep a well-formed id that is not among them: keys and people go, records stay."""
        if chosen and chosen not in dict(choices):
            with suppress(ValueError):
                choices = [*choices, (str(uuid.UUID(chosen)), "Deleted")]
        self.fields[field].choices = [("", "Any"), *choices]  # type: ignore[attr-defined]

    def clean_prompt(self) -> str:
        given = str(self.cleaned_data["prompt"]).strip()
        ref = _PROMPT.fullmatch(given)
        if given and ref is None:
            raise forms.ValidationError("Name a prompt, or one version of it: support/answer, support/answer@7.")
        return given

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            self.add_error("until", "The end is before the start. Choose a later end.")
        if "\0" in cleaned.get("q", ""):
            self.add_error("q", "Text with a NUL character is not in the log.")
        return cleaned

    def criteria(self) -> Criteria:
        """Return the filter for the log. Call it on a valid form only."""
        chosen = self.cleaned_data
        start, end = chosen["since"], chosen["until"]
        if chosen["range"] and not (start or end):
            start, end = _span(chosen["range"])
        return Criteria(
            team_ids=self.sight.team_ids,
            start=start,
            end=end,
            key_id=chosen["key"],
            types=tuple(sorted(chosen["type"])),
            statuses=tuple(sorted(chosen["status"])),
            alias=chosen["alias"],
            person_id=chosen["person"],
            environment=chosen["environment"],
            end_user=kept_name("", chosen["end_user"]),
            metadata=chosen["metadata"],
            trace=chosen["trace"],
            prompt=chosen["prompt"].partition("@")[0],
            version=int(number) if (number := chosen["prompt"].partition("@")[2]) else None,
            rating=chosen["rating"],
            text=chosen["q"],
            # The id of a request is looked for in records that name it: who read it, say. No content is.
            content_team_ids=() if parse_request_id(chosen["q"]) else self.sight.content_team_ids,
        )

    def words(self) -> list[tuple[str, str, str]]:
        """Return what is set as (parameter, label, value in words), for the chips and the log of exports."""
        if not self.is_valid():
            return []
        found = []
        for name in self.fields:
            value = self.cleaned_data[name]
            if not value or (name == "range" and (self.cleaned_data["since"] or self.cleaned_data["until"])):
                continue
            field = self.fields[name]
            if isinstance(value, dt.datetime):
                text = f"{value:%Y-%m-%d %H:%M}"
            elif isinstance(value, list):
                labels = dict(field.choices)  # type: ignore[attr-defined]
                text = ", ".join(str(labels[v]).lower() for v in value)
            elif hasattr(field, "choices"):
                text = str(dict(field.choices)[str(value)])
            else:
                text = str(value)
            found.append((name, str(field.label), text))
        return found
