"""Forms about providers."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.safestring import mark_safe

from console.catalog.models import Provider
from console.core.forms import ShortNamed, seen_field
from console.providers.registry import KINDS
from console.providers.types import Preset

PROVIDER_FIELDS = (
    "name", "kind", "base_url", "first_byte_seconds", "total_seconds", "max_concurrency", "requests_per_minute",
    "tokens_per_minute",
)  # fmt: skip


def _limit(label: str) -> forms.IntegerField:
    return forms.IntegerField(
        min_value=1,
        max_value=2_000_000_000,
        required=False,
        label=label,
        help_text="The most the provider can handle. Empty: no limit.",
    )


def presets() -> list[tuple[str, Preset]]:
    return [(kind, preset) for kind, adapter in KINDS.items() for preset in adapter.presets]


class ProviderForm(ShortNamed):
    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        max_length=60,
        label="Short name",
        error_messages={"invalid": "Write lower-case letters, digits and hyphens."},
        help_text=mark_safe(
            "The part before the slash in <code>openai/gpt-4o-mini</code>. It cannot be changed later."
        ),
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
    clear_secret = forms.BooleanField(required=False, label="Remove secret")
    first_byte_seconds = forms.IntegerField(
        min_value=1, max_value=3600, required=False, label="Timeout for the first byte, in seconds"
    )
    total_seconds = forms.IntegerField(
        min_value=1, max_value=3600, required=False, label="Timeout for a whole call, in seconds"
    )

    max_concurrency = _limit("Concurrent calls")
    requests_per_minute = _limit("Requests per minute")
    tokens_per_minute = _limit("Tokens per minute")
    preset = forms.SlugField(required=False, widget=forms.HiddenInput)
    seen_revision = seen_field()

    def __init__(self, *args: Any, provider: Provider | None = None, **kwargs: Any) -> None:
        if provider is not None:
            kwargs["initial"] = {name: getattr(provider, name) for name in PROVIDER_FIELDS}
            kwargs["initial"]["seen_revision"] = provider.revision
        super().__init__(*args, **kwargs)
        self.fields["first_byte_seconds"].help_text = f"Empty: {settings.GATEWAY_SILENCE_SECONDS:,}."
        self.fields["total_seconds"].help_text = f"Empty: {settings.GATEWAY_TOTAL_SECONDS:,}."
        kind: forms.ChoiceField = self.fields["kind"]  # type: ignore[assignment]
        kind.choices = [(name, adapter.label) for name, adapter in KINDS.items()]
        if provider is None:
            del self.fields["clear_secret"], self.fields["seen_revision"]
            return
        del self.fields["slug"], self.fields["preset"]
        if provider.has_secret:
            self.fields["secret"].label = "New secret"
            self.fields[
                "secret"
            ].help_text = "A secret is set. Leave this empty to keep it; changing the host of the address removes it."
        else:
            del self.fields["clear_secret"]

    def secret_to_set(self) -> str | None:
        """Return the secret to set, "" to take it away, None to leave it."""
        if self.cleaned_data.get("secret"):
            return str(self.cleaned_data["secret"])
        return "" if self.cleaned_data.get("clear_secret") else None
