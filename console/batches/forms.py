"""What a person chooses for a new batch."""

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
}


class NewBatchForm(forms.Form):
    team = TeamField()
    file = forms.FileField(
        label="Input file",
        allow_empty_file=True,
        help_text="JSON lines: custom_id, method, url and body, one call a line.",
        widget=forms.ClearableFileInput(attrs={"accept": ".jsonl,.ndjson,application/jsonl"}),
    )
    endpoint = forms.ChoiceField(
        label="Calls",
        choices=[(path, f"{_WORDS[operation]} ({path})") for path, operation in ENDPOINTS.items()],
        help_text="Every line names this address as its url.",
    )
    environment = forms.ChoiceField(
        choices=Environment.choices,
        initial=Environment.PRODUCTION,
        widget=forms.RadioSelect,
        help_text="Decides which pin an alias means.",
    )

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)
