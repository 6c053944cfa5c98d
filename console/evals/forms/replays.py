"""The form of a replay: items, candidate, and how answers are judged."""

import uuid
from collections.abc import Iterable
from typing import Any

from django import forms

from console.core.forms import MONO
from console.evals.models import Dataset

LOG = "log"


class ReplayForm(forms.Form):
    dataset = forms.ChoiceField(label="Input")
    model = forms.CharField(
        max_length=200,
        required=False,
        label="Model",
        widget=forms.TextInput(attrs={**MONO, "list": "models", "placeholder": "support-chat@sandbox"}),
        help_text="alias@sandbox, alias, or for operators an exact version as provider/name. Empty: as recorded.",
    )
    prompt = forms.CharField(
        max_length=200,
        required=False,
        label="Version of a prompt",
        widget=forms.TextInput(attrs={**MONO, "list": "prompts", "placeholder": "support/answer"}),
        help_text="Its name, for calls that were made with this prompt.",
    )
    version = forms.IntegerField(required=False, min_value=1, label="Number of the version")
    likeness = forms.BooleanField(required=False, initial=True, label="Measure the similarity of answers")

    def __init__(self, *args: Any, datasets: Iterable[Dataset], may_sample: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = [(str(dataset.pk), f"{dataset.name}, {dataset.team}") for dataset in datasets]
        field = self.fields["dataset"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [*([(LOG, "Real calls, sampled from the log now")] if may_sample else []), *found]

    @property
    def dataset_id(self) -> uuid.UUID | None:
        """Return the dataset that was chosen, None for a sample that is to be drawn."""
        chosen = self.cleaned_data["dataset"]
        return None if chosen == LOG else uuid.UUID(chosen)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("version") and not given.get("prompt"):
            self.add_error("prompt", "Say whose version this is.")
        if given.get("prompt") and not given.get("version") and "version" not in self.errors:
            self.add_error("version", "Say which version of the prompt.")
        if not given.get("model") and not given.get("prompt") and not self.errors:
            self.add_error("model", "Choose another model, a version of a prompt, or both.")
        return given
