"""Parse and check what a person typed; the services keep the rules."""

from decimal import Decimal
from typing import Any

from django import forms

from console.catalog.models import Alias, Capability, ModelVersion, Provider
from console.catalog.queries import choices
from console.core.errors import Refusal
from console.providers.registry import KINDS
from console.providers.types import Preset
from console.teams.models import Team


def refuse(form: forms.Form, refusal: Refusal) -> None:
    """Show a service's refusal at the field it names, or above the form."""
    form.add_error(refusal.param if refusal.param in form.fields else None, refusal.message)


def presets() -> list[tuple[str, Preset]]:
    return [(kind, preset) for kind, adapter in KINDS.items() for preset in adapter.presets]


class VersionField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A model version, by provider."""

    def label_from_instance(self, version: Any) -> str:
        small = " (small, for trying things out)" if version.provider.is_builtin else ""
        return f"{version}{small}"


class AliasForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        help_text="What callers write as <code>model</code>. It never changes: callers hold it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    description = forms.CharField(max_length=300, required=False, help_text="What it is for, in a few words.")
    teams = forms.ModelMultipleChoiceField(
        Team.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Who may use it. None chosen means everybody.",
    )

    def __init__(self, *args: Any, alias: Alias | None = None, **kwargs: Any) -> None:
        if alias is not None:
            kwargs["initial"] = {"description": alias.description, "teams": alias.teams.all()}
        super().__init__(*args, **kwargs)
        teams: forms.ModelMultipleChoiceField[Team] = self.fields["teams"]  # type: ignore[assignment]
        teams.queryset = Team.objects.filter(archived_at=None)
        if alias is not None:
            del self.fields["name"]


class NewAliasForm(AliasForm):
    """An alias with its first pins, so that it answers at once."""

    production = VersionField(
        ModelVersion.objects.none(), required=False, empty_label="Not pinned yet", help_text="What it means there."
    )
    sandbox = VersionField(
        ModelVersion.objects.none(), required=False, empty_label="Not pinned yet", help_text="What it means there."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("production", "sandbox"):
            field: forms.ModelChoiceField[ModelVersion] = self.fields[name]  # type: ignore[assignment]
            field.queryset = choices()


class MoveForm(forms.Form):
    to = VersionField(ModelVersion.objects.none(), label="Model version", empty_label="Choose a version")
    reason = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The history shows it, for example: cheaper, and passes the same tests.",
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: forms.ModelChoiceField[ModelVersion] = self.fields["to"]  # type: ignore[assignment]
        field.queryset = choices()


class RollBackForm(forms.Form):
    reason = forms.CharField(max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class ProviderForm(forms.Form):
    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        max_length=60,
        label="Short name",
        help_text="The part before the slash in <code>openai/gpt-4o-mini</code>. It never changes.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )
    kind = forms.ChoiceField(help_text="The wire format it speaks.")
    base_url = forms.CharField(
        max_length=500,
        label="Address",
        help_text="Up to and including the version, for example https://api.example.com/v1",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "inputmode": "url"}),
    )
    secret = forms.CharField(
        max_length=10_000,
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "mono"}),
        help_text="Kept encrypted and never shown again. It is only sent to this address.",
    )
    clear_secret = forms.BooleanField(required=False, label="Take the secret away")
    first_byte_seconds = forms.IntegerField(
        min_value=1, max_value=3600, required=False, label="Seconds to the first byte", help_text="Empty: as installed."
    )
    total_seconds = forms.IntegerField(
        min_value=1, max_value=3600, required=False, label="Seconds for a whole call", help_text="Empty: as installed."
    )

    def __init__(self, *args: Any, provider: Provider | None = None, **kwargs: Any) -> None:
        if provider is not None:
            names = ("name", "kind", "base_url", "first_byte_seconds", "total_seconds")
            kwargs["initial"] = {name: getattr(provider, name) for name in names}
        super().__init__(*args, **kwargs)
        kind: forms.ChoiceField = self.fields["kind"]  # type: ignore[assignment]
        kind.choices = [(name, adapter.label) for name, adapter in KINDS.items()]
        if provider is None:
            del self.fields["clear_secret"]
            return
        del self.fields["slug"]
        if provider.has_secret:
            self.fields["secret"].label = "New secret"
            self.fields[
                "secret"
            ].help_text = "A secret is set. Leave this empty to keep it; another host in the address takes it away."
        else:
            del self.fields["clear_secret"]

    def secret_to_set(self) -> str | None:
        """Return the secret to set, "" to take it away, None to leave it."""
        if self.cleaned_data.get("secret"):
            return str(self.cleaned_data["secret"])
        return "" if self.cleaned_data.get("clear_secret") else None


class VersionForm(forms.Form):
    name = forms.CharField(
        max_length=200,
        label="Name at the provider",
        help_text="Exactly as the provider spells it, with its date or number. It never changes.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )
    description = forms.CharField(max_length=300, required=False)
    context_tokens = forms.IntegerField(min_value=1, initial=128_000, label="Context, in tokens")
    max_output_tokens = forms.IntegerField(min_value=1, initial=4096, label="Longest answer, in tokens")
    capabilities = forms.MultipleChoiceField(
        choices=Capability.choices, initial=[Capability.CHAT], widget=forms.CheckboxSelectMultiple
    )
    shutdown_on = forms.DateField(
        required=False,
        label="Shut down on",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="When the provider has announced to end it.",
    )
    successor = VersionField(ModelVersion.objects.none(), required=False, empty_label="None announced")

    def __init__(self, *args: Any, version: ModelVersion | None = None, **kwargs: Any) -> None:
        if version is not None:
            kwargs["initial"] = {name: getattr(version, name) for name in self.base_fields if name != "name"}
        super().__init__(*args, **kwargs)
        successor: forms.ModelChoiceField[ModelVersion] = self.fields["successor"]  # type: ignore[assignment]
        successor.queryset = choices()
        if version is not None:
            del self.fields["name"]
            successor.queryset = choices().exclude(pk=version.pk)
        else:
            self.order_fields(["name"])


class PriceForm(forms.Form):
    input = forms.DecimalField(max_digits=12, decimal_places=6, min_value=Decimal(0), label="Input")
    cached_input = forms.DecimalField(
        max_digits=12,
        decimal_places=6,
        min_value=Decimal(0),
        required=False,
        label="Cached input",
        help_text="Empty: as input.",
    )
    output = forms.DecimalField(max_digits=12, decimal_places=6, min_value=Decimal(0), label="Output")
    effective_from = forms.DateTimeField(
        required=False,
        label="From (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Empty: from now on. What was charged stays.",
    )
