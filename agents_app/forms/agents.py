"""Small forms of an agent: name, settings, publishing, rolling back."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from agents_app.models import Agent, Audience
from console.core.forms import MONO, ShortNamed, offer, seen_field
from console.teams.forms.base import TeamField
from console.teams.models import Team


class NewAgentForm(ShortNamed):
    template = forms.CharField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"placeholder": "Support assistant"}))
    slug = forms.CharField(
        label="Short name",
        max_length=60,
        help_text="Programs call it as agent:short-name. Cannot be changed later.",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "support-assistant"}),
    )
    team = TeamField(help_text="Its builders can change it.")
    description = forms.CharField(
        max_length=300, required=False, help_text="What people can use it for, in a few words."
    )

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)


class SettingsForm(forms.Form):
    """Name and audience. Teams it is shared with that the reader does not see stay as they are."""

    name = forms.CharField(max_length=80)
    description = forms.CharField(
        max_length=300, required=False, help_text="What people can use it for, in a few words."
    )
    audience = forms.ChoiceField(
        choices=Audience.choices, label="Who may use it", widget=forms.RadioSelect, help_text="From the next call on."
    )
    shared_with = forms.ModelMultipleChoiceField(
        Team.objects.none(),
        required=False,
        label="Chosen teams",
        widget=forms.CheckboxSelectMultiple,
        help_text="In addition to its own team, if you chose teams above.",
    )
    seen_revision = seen_field()

    def __init__(self, *args: Any, agent: Agent, teams: QuerySet[Team], **kwargs: Any) -> None:
        shared = agent.shared_with.all()
        kwargs["initial"] = {
            "name": agent.name,
            "description": agent.description,
            "audience": agent.audience,
            "shared_with": shared.filter(pk__in=teams),
            "seen_revision": agent.settings_revision,
        }
        super().__init__(*args, **kwargs)
        field: forms.ModelMultipleChoiceField[Team] = self.fields["shared_with"]  # type: ignore[assignment]
        field.queryset = teams.exclude(pk=agent.team_id).order_by("name")
        self.unseen = list(shared.exclude(pk__in=field.queryset.values("pk")))
        if not field.queryset.exists():
            del self.fields["shared_with"]
            if agent.audience != Audience.TEAMS:  # nobody to choose
                audience: forms.ChoiceField = self.fields["audience"]  # type: ignore[assignment]
                audience.choices = [choice for choice in Audience.choices if choice[0] != Audience.TEAMS]

    def changes(self) -> dict[str, Any]:
        cleaned = dict(self.cleaned_data)
        cleaned["shared_with"] = [*cleaned.get("shared_with", ()), *self.unseen]
        return cleaned


class PublishForm(forms.Form):
    says_why = "message"

    message = forms.CharField(
        max_length=500,
        required=False,
        label="What changed, and why",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "Shorter answers"}),
        help_text="Shown in the history beside the version.",
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    seen_live = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class RollBackForm(forms.Form):
    reason = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "It made up prices"}),
        help_text="Shown in the history.",
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
