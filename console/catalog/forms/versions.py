"""Forms about model versions and their prices."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms

from console.catalog.forms.base import VersionField
from console.catalog.models import PARTS, Amounts, Capability, ModelVersion
from console.catalog.queries import choices
from console.core.errors import BadInput
from console.core.forms import seen_field


class VersionForm(forms.Form):
    name = forms.CharField(
        max_length=200,
        label="Name at the provider",
        help_text="Exactly as the provider spells it, with its date or number. It cannot be changed later.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )
    description = forms.CharField(max_length=300, required=False)
    context_tokens = forms.IntegerField(min_value=1, initial=128_000, label="Context, in tokens")
    max_output_tokens = forms.IntegerField(min_value=1, initial=4096, label="Max output tokens")
    capabilities = forms.MultipleChoiceField(
        choices=Capability.choices, initial=[Capability.CHAT], widget=forms.CheckboxSelectMultiple
    )
    shutdown_on = forms.DateField(
        required=False,
        label="Shut down on",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The shutdown date the provider has announced.",
    )
    successor = VersionField(ModelVersion.objects.none(), required=False, empty_label="None announced")
    seen_revision = seen_field()

    def __init__(self, *args: Any, version: ModelVersion | None = None, **kwargs: Any) -> None:
        if version is not None:
            names = [name for name in self.base_fields if name not in {"name", "seen_revision"}]
            kwargs["initial"] = {name: getattr(version, name) for name in names}
            kwargs["initial"]["seen_revision"] = version.revision
        super().__init__(*args, **kwargs)
        successor: forms.ModelChoiceField[ModelVersion] = self.fields["successor"]  # type: ignore[assignment]
        successor.queryset = choices()
        if version is not None:
            del self.fields["name"]
            successor.queryset = choices(or_this=version.successor_id).exclude(pk=version.pk)
        else:
            del self.fields["seen_revision"]
            self.order_fields(["name"])


def prices_typed(typed: Mapping[str, str], names: Sequence[str]) -> dict[str, tuple[Decimal, Decimal | None]]:
    """Return the prices of input and output typed beside names of models; BadInput names what cannot be one."""
    found = {}
    for name in names:
        amounts = {part: typed.get(f"{part}:{name}", "").strip() for part in ("input", "output")}
        if not any(amounts.values()):
            continue
        form = PriceForm(amounts)
        if not form.is_valid():
            part, said = next(iter(form.errors.items()))
            raise BadInput(f"The {part} price of {name}: {said[0]}", param="prices")
        found[name] = form.cleaned_data["input"], form.cleaned_data["output"]
    return found


def _price(label: str, *, when_empty: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        max_digits=12,
        decimal_places=6,
        min_value=Decimal(0),
        required=not when_empty,
        label=label,
        help_text=when_empty,
    )


class PriceForm(forms.Form):
    template_name = "catalog/_price_fields.html"

    input = _price("Input")
    cached_input = _price("Cached input", when_empty="Empty: same as input.")
    output = _price("Output", when_empty="Empty only for embeddings.")
    reasoning = _price("Reasoning", when_empty="Empty: same as output.")
    effective_from = forms.DateTimeField(
        required=False,
        label="From (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Empty: from now on. Past charges do not change.",
    )
    cache_write = _price("Cache writes", when_empty="Empty: same as input.")
    cache_write_1h = _price("Cache writes, 1 hour", when_empty="Empty: as other cache writes.")

    audio_input = _price("Audio in", when_empty="Empty: same as input.")
    audio_output = _price("Audio out", when_empty="Empty: same as output.")
    long_above = forms.IntegerField(
        min_value=1, required=False, label="Long inputs above", help_text="Tokens. Empty: all cost the same."
    )
    long_input = _price("Long input", when_empty="Empty: as input. Cache and audio rise with it.")
    long_output = _price("Long output", when_empty="Empty: as output. Reasoning and audio rise with it.")

    _SELDOM = tuple(part for part in PARTS if part not in {"input", "output", "cached_input", "reasoning"})

    def amounts(self) -> Amounts:
        """Return the price a valid form says."""
        return Amounts(*(self.cleaned_data[name] for name in PARTS))

    @property
    def usual(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self._SELDOM]

    @property
    def seldom(self) -> list[forms.BoundField]:
        """The fields for what few models charge by itself, which are folded away."""
        return [self[name] for name in self.fields if name in self._SELDOM]

    @property
    def says_seldom(self) -> bool:
        return any(field.errors or field.value() not in {None, ""} for field in self.seldom)
