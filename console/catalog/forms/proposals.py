"""Forms about proposed changes."""

from typing import Any

from django import forms


def _reason(*, required: bool, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        max_length=500,
        required=required,
        help_text=help_text,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class ApproveForm(forms.Form):
    action, is_destructive = "Approve", False
    reason = _reason(required=False, help_text="Kept with the proposal.")


class RejectForm(forms.Form):
    action, is_destructive = "Reject", True
    reason = _reason(required=True, help_text="Shown to the person who proposed it.")

    def __init__(self, *args: Any, is_mine: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_mine:
            self.action = "Withdraw"
            self.fields["reason"] = _reason(required=False)


class TestsForm(forms.Form):
    """Asking for tests asks nothing; ending it needs a reason."""

    action, is_destructive = "Require tests", False
    reason = _reason(required=True, help_text="The audit log keeps it.")

    def __init__(self, *args: Any, is_on: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_on:
            self.action, self.is_destructive = "Stop requiring tests", True
        else:
            del self.fields["reason"]


class RuleForm(forms.Form):
    """Turning the rule on asks nothing; ending it is a proposal and needs a reason."""

    action, is_destructive = "Require two people", False
    reason = _reason(required=True, help_text="Shown to the person who decides.")

    def __init__(self, *args: Any, is_on: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_on:
            self.action = "Propose to end the rule"
        else:
            del self.fields["reason"]
