"""The form of a dataset: a file, or records of the log."""

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms

from console.audit.models import Status
from console.core.clock import now
from console.core.forms import MONO
from console.evals.sampling import NEWEST, RANDOM, Sampling
from console.evals.uploads import MOST_ITEMS
from console.teams.models import ApiKey, Environment, Team
from usage_app.forms.audit import RANGES

_MOST_KEYS = 200
# Which calls, as people choose it.
_STATUSES = {
    "ok": ("Answered", (Status.OK.value,)),
    "error": ("Failed", (Status.ERROR.value,)),
    "any": ("Answered or failed", (Status.OK.value, Status.ERROR.value)),
}


class TeamForm(forms.Form):
    """Whose a dataset is, among the teams in which somebody may make one."""

    team = forms.ChoiceField(label="Team")

    def __init__(self, *args: Any, teams: Sequence[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.teams = {team.slug: team for team in teams}
        field = self.fields["team"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(slug, team.name) for slug, team in self.teams.items()]

    @property
    def chosen_team(self) -> Team:
        return self.teams[self.cleaned_data["team"]]


class UploadForm(TeamForm):
    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"placeholder": "Refund questions"}))
    file = forms.FileField(
        help_text=f"CSV or JSON lines, UTF-8, up to {MOST_ITEMS} lines.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.jsonl,.ndjson,text/csv,application/jsonl"}),
    )


class SampleForm(TeamForm):
    """The filter of the log, and how many of what it finds."""

    alias = forms.CharField(
        max_length=100,
        required=False,
        label="Alias",
        widget=forms.TextInput(attrs={**MONO, "list": "aliases", "placeholder": "support-chat"}),
    )
    prompt = forms.CharField(
        max_length=200, required=False, label="Prompt", widget=forms.TextInput(attrs={**MONO, "list": "prompts"})
    )
    environment = forms.ChoiceField(required=False, choices=[("", "Any"), *Environment.choices])
    key = forms.ChoiceField(label="API key", required=False)
    status = forms.ChoiceField(
        label="Calls", choices=[(name, words) for name, (words, _) in _STATUSES.items()], initial="ok"
    )
    range = forms.ChoiceField(
        label="Time", choices=[(name, words) for name, (words, _) in RANGES.items()], initial="7d"
    )
    order = forms.ChoiceField(
        label="Selection", choices=[(NEWEST, "The newest"), (RANDOM, "At random over that time")], initial=RANDOM
    )
    number = forms.IntegerField(label="Number of calls", min_value=1, max_value=MOST_ITEMS, initial=50)

    def __init__(self, *args: Any, teams: Sequence[Team], **kwargs: Any) -> None:
        super().__init__(*args, teams=teams, **kwargs)
        keys = ApiKey.objects.filter(team__in=teams).order_by("name").select_related("team")[:_MOST_KEYS]
        field = self.fields["key"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Any"), *((str(key.pk), f"{key.name} ({key.shown})") for key in keys)]

    def wanted(self) -> Sampling:
        given = self.cleaned_data
        return Sampling(
            team_id=self.chosen_team.pk,
            number=given["number"],
            order=given["order"],
            alias=given["alias"],
            key_id=uuid.UUID(given["key"]) if given["key"] else None,
            statuses=_STATUSES[given["status"]][1],
            environment=given["environment"],
            prompt=given["prompt"],
            start=now() - RANGES[given["range"]][1],
        )

    def chosen(self) -> str:
        """Return the filter in words, for the dataset and the log."""
        given = self.cleaned_data
        parts = [f"{'The newest' if given['order'] == NEWEST else 'A random'} {given['number']}"]
        parts += [f"{name} {given[name]}" for name in ("alias", "prompt") if given[name]]
        parts += [given["environment"]] if given["environment"] else []
        if given["key"]:
            choices = self.fields["key"].choices  # type: ignore[attr-defined]
            parts.append(f"key {dict(choices)[given['key']]}")
        parts += [_STATUSES[given["status"]][0].lower(), RANGES[given["range"]][0].lower()]
        return ", ".join(parts)

    def usual_name(self) -> str:
        """Return a name for a dataset that nobody named."""
        given = self.cleaned_data
        what = given["prompt"] or given["alias"] or "All calls"
        return f"{what[:60]}, {now():%d %b %Y %H:%M}"


class DrawnSampleForm(SampleForm):
    """The same on the page of a replay, where `prompt` is the candidate's."""

    def add_prefix(self, field_name: str) -> str:
        return super().add_prefix("of_prompt" if field_name == "prompt" else field_name)


class NamedSampleForm(SampleForm):
    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"placeholder": "A week of support-chat"}))
    field_order = ("team", "name")
