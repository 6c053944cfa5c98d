"""The form of a queue tool."""

from django import forms

from agents_app.tools.form import ToolForm
from agents_app.tools.queue.kind import ACTIONS
from console.core.forms import MONO


class QueueForm(ToolForm):
    own = ("queue", "action")

    queue = forms.CharField(
        max_length=60,
        widget=forms.TextInput(attrs={**MONO, "placeholder": "refunds", "list": "queue-names"}),
        help_text="The short name of a queue of the same team.",
    )
    action = forms.ChoiceField(choices=list(ACTIONS.items()), label="What it does", widget=forms.RadioSelect)
