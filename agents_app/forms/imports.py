"""The form of an import: a document that is pasted, uploaded or fetched."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from agents_app.tools.http.document import LARGEST
from console.core.forms import MONO, offer
from console.teams.forms.base import TeamField
from console.teams.models import Team


class DocumentForm(forms.Form):
    team = TeamField(help_text="Its agents may be granted the tools.")
    text = forms.CharField(
        required=False,
        max_length=LARGEST,
        label="Document",
        widget=forms.Textarea(attrs={**MONO, "rows": 8, "placeholder": "openapi: 3.1.0"}),
        help_text="OpenAPI 3.0, 3.1 or 3.2, as JSON or YAML.",
    )
    file = forms.FileField(required=False, label="Or a file")
    url = forms.CharField(
        required=False,
        max_length=2_000,
        label="Or its address",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "https://api.example.com/openapi.json"}),
    )
    server = forms.CharField(
        required=False,
        max_length=500,
        label="Address of the API",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "https://api.example.com/v1"}),
        help_text="Empty: what the document says.",
    )
    secret = forms.CharField(
        required=False,
        max_length=8_000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "mono"}),
        help_text="For the operations that need one. Kept encrypted and never shown again.",
    )
    # What a refusal names, and where it is shown.
    shown_at = {"document": "text"}

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)

    def clean_file(self) -> Any:
        file = self.cleaned_data.get("file")
        if file is not None and file.size > LARGEST:
            raise forms.ValidationError("The document is larger than 1 MiB; take out what you do not need.")
        return file

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and not (cleaned.get("text") or cleaned.get("file") or cleaned.get("url")):
            self.add_error("text", "Paste a document, choose a file, or write its address.")
        return cleaned

    def document(self) -> str:
        """Return the document given; empty when it is to be fetched from its address."""
        if file := self.cleaned_data.get("file"):
            file.seek(0)
            return bytes(file.read()).decode(errors="replace")
        return str(self.cleaned_data.get("text") or "")

    def carry(self, document: str) -> None:
        """Have the next step bring the document along."""
        data: Any = self.data
        self.data = data.copy()
        self.data["text"] = document  # type: ignore[index]
