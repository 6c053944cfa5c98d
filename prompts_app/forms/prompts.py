"""The small forms around a prompt: naming a new one, its settings, publishing, reviews, rules."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from console.core.forms import MONO, offer, seen_field
from console.teams.forms.base import TeamField
from console.teams.models import Team
from prompts_app.models import Kind, Prompt, Visibility


class TagsField(forms.CharField):
    """Words with commas between them."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "Separated by commas.")
        super().__init__(
            required=False, max_length=1000, widget=forms.TextInput(attrs={"autocomplete": "off"}), **kwargs
        )

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        return [tag.strip() for tag in str(value or "").split(",") if tag.strip()]

    def validate(self, value: Any) -> None:
        """Leave the rules to the service, which names the tag at fault."""

    def run_validators(self, value: Any) -> None:
        """As above: the value is a list here."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


class NewPromptForm(forms.Form):
    slug = forms.CharField(
        label="Name",
        max_length=200,
        help_text="Lower case, with slashes between folders. It cannot be changed later, because callers use it.",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "support/live-chat-answer"}),
    )
    team = TeamField(help_text="Its builders can change it.")
    visibility = forms.ChoiceField(choices=Visibility.choices, initial=Visibility.TEAM, label="Who may use it")
    description = forms.CharField(max_length=300, required=False, help_text="What it is for, in a few words.")
    tags = TagsField()

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)


class SettingsForm(forms.Form):
    description = forms.CharField(max_length=300, required=False, help_text="What it is for, in a few words.")
    tags = TagsField()
    visibility = forms.ChoiceField(choices=Visibility.choices, label="Who may use it")
    seen_revision = seen_field()

    def __init__(self, *args: Any, prompt: Prompt, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(prompt, name) for name in ("description", "tags", "visibility")}
        kwargs["initial"]["seen_revision"] = prompt.settings_revision
        super().__init__(*args, **kwargs)


class RequireForm(forms.Form):
    """Whether a partial is required, and of whom."""

    is_required = forms.BooleanField(
        required=False,
        label="Required",
        help_text="Prompts of the teams below must include it, or carry a waiver with a reason.",
    )
    covers = forms.ModelMultipleChoiceField(
        Team.objects.none(),
        required=False,
        label="Teams it covers",
        widget=forms.CheckboxSelectMultiple,
        help_text="None selected means every team.",
    )
    seen_revision = seen_field()

    def __init__(self, *args: Any, prompt: Prompt, teams: QuerySet[Team], **kwargs: Any) -> None:
        kwargs["initial"] = {
            "is_required": prompt.is_required,
            "covers": prompt.covers.filter(pk__in=teams),
            "seen_revision": prompt.settings_revision,
        }
        super().__init__(*args, **kwargs)
        offer(self, "covers", teams)


class ReasonForm(forms.Form):
    """A reason, and the revision of the label the decision was made on."""

    reason = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
        help_text="Shown in the history, for example: shorter answers, and every source is cited.",
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class RemoveLabelForm(forms.Form):
    reason = forms.CharField(max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class CommentForm(forms.Form):
    text = forms.CharField(max_length=2000, label="Comment", widget=forms.Textarea(attrs={"rows": 3}))
    message_index = forms.IntegerField(min_value=0, max_value=32_000, required=False, widget=forms.HiddenInput)
    line = forms.IntegerField(min_value=1, max_value=2_000_000, required=False, widget=forms.HiddenInput)


class DecisionForm(forms.Form):
    note = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What convinced you, or what has to change.",
    )
    decision = forms.ChoiceField(choices=[("approve", "Approve"), ("changes", "Request changes")])


class RuleForm(forms.Form):
    label = forms.CharField(
        max_length=40, widget=forms.TextInput(attrs={**MONO, "list": "label-names", "placeholder": "production"})
    )
    needs_review = forms.BooleanField(
        required=False, label="A review by somebody else", help_text="The person who requested it cannot approve."
    )
    needs_green_tests = forms.BooleanField(
        required=False, label="Passing tests", help_text="Every test of the prompt passes on the version."
    )


class WaiverForm(forms.Form):
    partial = forms.CharField(max_length=200, widget=forms.HiddenInput)
    reason = forms.CharField(max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}))


KIND_WORDS = {
    Kind.TEXT: "One text, sent as a single message.",
    Kind.CHAT: "Messages in order: system, user, assistant.",
    Kind.PARTIAL: "A piece that other prompts include.",
}
