"""The form to verify a head of the chain that was kept elsewhere."""

from django import forms

from console.core.forms import MONO


class KeptHeadForm(forms.Form):
    head = forms.CharField(
        max_length=4096,
        label="Saved head",
        widget=forms.Textarea(attrs={**MONO, "rows": 2, "placeholder": "812:9c41…"}),
        help_text="NUMBER:SHA256, as copied here, printed by verifyaudit or contained in the downloaded file.",
    )
