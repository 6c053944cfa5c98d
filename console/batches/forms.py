"""Forms of batches."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from console.batches.endpoints import ENDPOINTS
from console.core.forms import offer
from console.teams.forms.base import TeamField
from console.teams.models import Environment, Team

_WORDS = {
    "chat": "Chat completions",
    "response": "Responses",
    "completion": "Completions",
    "embedding": "Embeddings",
    "message": "Messages",
}


def _environment() -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=Environment.choices,
        initial=Environment.PRODUCTION,
        widget=forms.RadioSelect,
        help_text="Decides which pin an alias resolves to.",
    )


class NewBatchForm(forms.Form):
    team = TeamField()
    file = forms.FileField(
        label="Input file",
        allow_empty_file=True,
        help_text="JSON lines, one call per line: custom_id, method, url and body.",
        widget=forms.ClearableFileInput(attrs={"accept": ".jsonl,.ndjson,application/jsonl"}),
    )
    endpoint = forms.ChoiceField(
        label="Calls",
        choices=[(path, f"{_WORDS[operation]} ({path})") for path, operation in ENDPOINTS.items()],
        help_text="Every line must have this path as its url.",
    )
    environment = _environment()

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)


class TableForm(forms.Form):
    """A table and a prompt; the prompt is a ref, which the view reads."""

    team = TeamField()
    prompt = forms.CharField(
        max_length=300,
        help_text="Its name, for example support/answer. The published version is used; append @7 for version 7.",
        widget=forms.TextInput(attrs={"list": "table-prompts", "spellcheck": "false"}),
    )
    model = forms.CharField(
        max_length=100,
        help_text="An alias of the team.",
        widget=forms.TextInput(attrs={"list": "table-models", "spellcheck": "false"}),
    )
    file = forms.FileField(
        label="Table",
        allow_empty_file=True,
        help_text="CSV, UTF-8. The first row names the columns: the variables of the prompt.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,text/csv"}),
    )
    environment = _environment()

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)
