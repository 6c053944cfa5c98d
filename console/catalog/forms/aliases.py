"""Forms about aliases."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.safestring import mark_safe

from console.catalog.forms.base import VersionField
from console.catalog.models import Alias, ModelVersion
from console.catalog.queries import choices
from console.core.forms import offer, seen_field
from console.teams.models import Team


class TeamsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, team: Any) -> str:
        return f"{team} (archived)" if team.archived_at else str(team)


class AliasForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        help_text=mark_safe(
            "What callers write as <code>model</code>. It cannot be changed later, because callers use it."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    description = forms.CharField(max_length=300, required=False, help_text="What it is for, in a few words.")
    teams = TeamsField(
        Team.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Who may use it. None selected means everybody.",
    )

    seen_revision = seen_field()

    def __init__(self, *args: Any, alias: Alias | None = None, **kwargs: Any) -> None:
        if alias is not None:
            kwargs["initial"] = {
                "description": alias.description,
                "teams": alias.teams.all(),
                "seen_revision": alias.revision,
            }
        super().__init__(*args, **kwargs)
        teams: forms.ModelMultipleChoiceField[Team] = self.fields["teams"]  # type: ignore[assignment]
        shown = Q(archived_at=None)
        if alias is not None:
            del self.fields["name"]
            shown |= Q(pk__in=alias.teams.values("pk"))  # an archived one left out would open the alias to everybody
        teams.queryset = Team.objects.filter(shown)


class NewAliasForm(AliasForm):
    """An alias with its first pins, so that it answers at once."""

    production = VersionField(
        ModelVersion.objects.none(),
        required=False,
        empty_label="Not pinned yet",
        help_text="The exact model that answers calls with a production key.",
    )
    sandbox = VersionField(
        ModelVersion.objects.none(),
        required=False,
        empty_label="Not pinned yet",
        help_text="The same for sandbox keys: that model, or one to try first.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("production", "sandbox"):
            offer(self, name, choices())
