"""The form of a model tool."""

from django import forms

from agents_app.tools.fields import JsonField, LinesField
from agents_app.tools.form import ToolForm
from console.core.forms import MONO


class CompletionForm(ToolForm):
    own = ("alias", "prompt", "variables", "output_tokens", "parameters")

    alias = forms.CharField(
        max_length=100,
        label="Model alias",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "support-chat", "list": "alias-names"}),
    )
    prompt = forms.CharField(
        max_length=250,
        required=False,
        widget=forms.TextInput(attrs={**MONO, "placeholder": "support/classify", "list": "prompt-names"}),
        help_text="A prompt of the library that stands before the message, with or without a version.",
    )
    variables = LinesField(
        required=False, rows=2, label="Its variables", help_text="One per line. The agent fills them as arguments."
    )
    output_tokens = forms.IntegerField(min_value=1, max_value=1_000_000, initial=2_000, label="Max output tokens")
    parameters = JsonField(required=False, rows=2, label="Parameters, as JSON", placeholder='{"temperature": 0}')
