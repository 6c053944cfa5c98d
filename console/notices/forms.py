"""Forms of channels."""

from typing import Any

from django import forms

from console.core.forms import seen_field
from console.notices.addresses import LONGEST_URL
from console.notices.kinds import SENTENCES, kinds_of
from console.notices.models import Channel
from console.teams.forms.base import ConsoleForm, WordsField

URL_HINTS = {
    Channel.Kind.SLACK: "An incoming webhook of Slack or Mattermost, or of Discord with /slack appended.",
    Channel.Kind.WEBHOOK: "Receives each alert as signed JSON by POST. The secret to verify it is shown once.",
}
_KEPT = "Kept encrypted; only its host is shown. Leave this empty to keep it."


class ChannelForm(ConsoleForm):
    """A channel of one kind: where it goes, and what it wants."""

    name = forms.CharField(max_length=80, help_text="For example #platform-alerts.")
    addresses = WordsField(
        label="E-mail addresses", help_text="Up to 20, separated by commas. Each gets its own e-mail."
    )
    url = forms.CharField(
        label="Address of the webhook",
        max_length=LONGEST_URL,
        required=False,
        widget=forms.TextInput(
            attrs={"class": "control mono", "spellcheck": "false", "inputmode": "url", "autocomplete": "off"}
        ),
    )
    wants = forms.MultipleChoiceField(label="Alerts", widget=forms.CheckboxSelectMultiple)
    renew_secret = forms.BooleanField(
        label="Create a new signing secret", required=False, help_text="The current one stops working at once."
    )

    seen_revision = seen_field()

    def __init__(self, *args: Any, kind: str, is_of_team: bool, channel: Channel | None = None, **kwargs: Any) -> None:
        kinds = kinds_of(is_of_team=is_of_team)
        if channel is not None:
            kwargs["initial"] = {
                "name": channel.name,
                "addresses": channel.addresses,
                "wants": channel.wants,
                "seen_revision": channel.revision,
            }
        else:
            kwargs["initial"] = {"wants": [str(one) for one in kinds]}
        super().__init__(*args, **kwargs)
        wants = self.fields["wants"]
        assert isinstance(wants, forms.MultipleChoiceField)
        wants.choices = [(str(one), f"{one.label}: {_lowered(SENTENCES[one])}") for one in kinds]
        if kind == Channel.Kind.EMAIL:
            del self.fields["url"]
            self.fields["addresses"].required = True
        else:
            del self.fields["addresses"]
            self.fields["url"].required = channel is None
            self.fields["url"].help_text = URL_HINTS[Channel.Kind(kind)] if channel is None else _KEPT
            if channel is not None:
                self.fields["url"].label = "New address of the webhook"
        if channel is None:
            del self.fields["seen_revision"]
        if channel is None or kind != Channel.Kind.WEBHOOK:
            del self.fields["renew_secret"]


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
