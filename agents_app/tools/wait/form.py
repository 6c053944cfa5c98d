"""The form of a wait."""

from django import forms

from agents_app.tools.form import ToolForm
from agents_app.tools.wait.kind import LONGEST


class WaitForm(ToolForm):
    own = ("most_seconds",)

    most_seconds = forms.IntegerField(min_value=1, max_value=LONGEST, initial=3600, label="Longest wait, in seconds")
