"""The form of a rating."""

from django import forms

from console.audit.services.ratings import MOST_COMMENT, Word


class RatingForm(forms.Form):
    says = forms.ChoiceField(choices=[("good", "Good"), ("bad", "Bad"), ("nothing", "Not rated")])
    comment = forms.CharField(required=False, max_length=MOST_COMMENT)

    def word(self) -> Word | None:
        """Return what is said; None to take it back. Call it on a valid form only."""
        says = self.cleaned_data["says"]
        comment = self.cleaned_data["comment"].replace("\r\n", "\n")
        return None if says == "nothing" else Word(says == "good", comment=comment)
