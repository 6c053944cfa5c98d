"""A head of the chain that somebody kept, pasted."""

from django import forms

from console.core.forms import MONO


class KeptHeadForm(forms.Form):
    head = forms.CharField(
        max_length=4096,
        label="A head you kept",
        widget=forms.Textarea(attrs={**MONO, "rows": 2, "placeholder": "812:9c41…"}),
        help_text="NUMBER:SHA256, as it is copied here or printed by verifyaudit, or what the downloaded file says.",
    )
