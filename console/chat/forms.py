"""Parse what people type into the chat; whether it can be sent is for the services."""

from typing import Any

from django import forms

from agents_app.models import Agent
from console.core.forms import offer


class MessageForm(forms.Form):
    text = forms.CharField(required=False, strip=False)


class StartForm(MessageForm):
    agent = forms.ModelChoiceField(
        Agent.objects.none(),
        to_field_name="slug",
        error_messages={"invalid_choice": "You cannot talk to this assistant (any more). Choose another one."},
    )

    def __init__(self, *args: Any, agents: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "agent", agents)


class TitleForm(forms.Form):
    title = forms.CharField(max_length=120)


class FeedbackForm(forms.Form):
    says = forms.ChoiceField(choices=[("good", "Good"), ("bad", "Bad"), ("nothing", "Nothing")])
    comment = forms.CharField(required=False, max_length=1000)
