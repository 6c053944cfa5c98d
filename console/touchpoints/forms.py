"""Forms of touchpoints."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from console.core.errors import BadInput
from console.core.forms import offer
from console.teams.forms.base import TeamField
from console.teams.models import Team
from console.touchpoints.fields import LONGEST, spend
from console.touchpoints.latency import SENTENCES
from console.touchpoints.models import Expected, Kind, LegacyTouchpoint, Status
from usage_app import amounts
from usage_app.models import Metric

_EXPECTED = [
    ("", "Nothing set"),
    *((value, f"{Expected(value).label}: {SENTENCES[value]}") for value in Expected.values),
]
_PLAIN = {"autocomplete": "off"}
_LARGEST = 1_000_000


class ExpectationForm(forms.Form):
    """What is expected of a place on Facet."""

    expected = forms.ChoiceField(required=False, label="Expected latency", choices=_EXPECTED)
    owner = forms.CharField(
        required=False,
        max_length=LONGEST["owner"],
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "Who is responsible"}),
    )
    purpose = forms.CharField(
        required=False,
        max_length=LONGEST["purpose"],
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "What it is for"}),
    )


class LegacyForm(forms.Form):
    """A place that is not on Facet."""

    team = TeamField()
    name = forms.CharField(
        max_length=LONGEST["name"], widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "Help desk bot"})
    )
    kind = forms.ChoiceField(choices=Kind.choices)
    place = forms.CharField(
        required=False,
        label="Where it lives",
        max_length=LONGEST["place"],
        help_text="A site, a repository or a tool: where to find it.",
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "help.example.com, bottom right"}),
    )
    model = forms.CharField(
        required=False,
        label="Vendor and model",
        max_length=LONGEST["model"],
        help_text="As text, with the model last; places with the same model are shown as overlaps.",
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "OpenAI gpt-4o-mini"}),
    )
    owner = forms.CharField(required=False, max_length=LONGEST["owner"], widget=forms.TextInput(attrs=_PLAIN))
    expected = forms.ChoiceField(required=False, label="Expected latency", choices=_EXPECTED)
    spend = forms.CharField(required=False, label="Monthly spend", max_length=40, help_text="An estimate will do.")
    notes = forms.CharField(
        required=False, max_length=LONGEST["notes"], widget=forms.Textarea(attrs={"rows": 3}), strip=False
    )
    status = forms.ChoiceField(choices=Status.choices, initial=Status.PLANNED)

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)
        self.fields["spend"].widget.attrs["placeholder"] = f"{amounts.currency_sign()}300"

    def clean_spend(self) -> int | None:
        try:
            return spend(self.cleaned_data["spend"])
        except BadInput as refusal:
            raise forms.ValidationError(refusal.message) from None

    @property
    def values(self) -> dict[str, Any]:
        """Return the fields as services take them."""
        return {("spend_micros" if name == "spend" else name): value for name, value in self.cleaned_data.items()}


class ChangeLegacyForm(LegacyForm):
    """The same for one that is listed: its team stays, and something on Facet may have its work."""

    replaced_by = forms.ChoiceField(required=False, help_text="What replaced it on Facet.")
    seen_revision = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, teams=Team.objects.none(), **kwargs)
        del self.fields["team"]
        self.fields["replaced_by"].choices = [("", "Nothing yet"), *choices]  # type: ignore[attr-defined]


class MigrateForm(forms.Form):
    """That a place came over, and to what."""

    replaced_by = forms.ChoiceField(required=False, label="Replaced by")

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["replaced_by"].choices = [("", "Nothing in particular"), *choices]  # type: ignore[attr-defined]


class ImportForm(forms.Form):
    """A list, as a file or pasted. A file's text comes back in the field, so that nothing has to be sent again."""

    team = TeamField()
    file = forms.FileField(required=False, label="CSV file", widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}))
    csv = forms.CharField(
        required=False,
        label="Or its text",
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "class": "mono", "spellcheck": "false", "wrap": "off"}),
    )
    skip_known = forms.BooleanField(required=False, label="Skip names that are already listed")

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)

    def clean(self) -> dict[str, Any]:
        """Take the file's text where there is a file, and have it stand in the field."""
        given = super().clean() or self.cleaned_data
        if file := given.get("file"):
            if file.size > _LARGEST:
                raise forms.ValidationError("The file is larger than 1 MB. Import it in parts.")
            try:
                given["csv"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", "The file is not UTF-8. Save it as “CSV UTF-8” and choose it again.")
                return given
            self.data = {**self.data.dict(), "csv": given["csv"]} if isinstance(self.data, QueryDict) else self.data
        elif not given.get("csv", "").strip():
            self.add_error("csv", "Choose a file or paste a list.")
        return given


def of_legacy(legacy: LegacyTouchpoint) -> dict[str, Any]:
    """Return what the form of a listed place begins with."""
    names = ("name", "kind", "place", "model", "owner", "expected", "notes", "status")
    by = f"{legacy.replaced_by_kind}:{legacy.replaced_by_id}" if legacy.replaced_by_kind else ""
    micros = legacy.spend_micros
    return {
        **{name: getattr(legacy, name) for name in names},
        "spend": "" if micros is None else amounts.for_input(Metric.COST, micros),
        "replaced_by": by,
        "seen_revision": legacy.revision,
    }
