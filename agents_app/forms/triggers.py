"""The form of a trigger: one for all kinds, of which each reads its own fields."""

from typing import Any

from django import forms

from agents_app.models import Agent, Queue, Trigger
from agents_app.triggers import payloads, schedule
from console.teams.models import Environment

_MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


class TriggerForm(forms.Form):
    name = forms.CharField(max_length=80)
    environment = forms.ChoiceField(choices=Environment.choices, initial=Environment.PRODUCTION)

    def __init__(self, data: Any = None, *, agent: Agent, kind: str) -> None:
        super().__init__(data)
        self.kind = kind
        if kind == Trigger.Kind.SCHEDULE:
            self.fields["cron"] = forms.CharField(
                max_length=100,
                label="Cron expression",
                widget=forms.TextInput(attrs={**_MONO, "placeholder": "*/5 * * * *"}),
                help_text="Minute, hour, day, month, day of the week: 0 7 * * MON-FRI is seven on working days.",
            )
            self.fields["time_zone"] = forms.CharField(
                max_length=60, initial="UTC", widget=forms.TextInput(attrs=_MONO), help_text="As Europe/Berlin."
            )
            self.fields["catch_up"] = forms.ChoiceField(
                label="Ticks nobody was there for",
                choices=[(schedule.SKIP, "Leave them out"), (schedule.ONCE, "Run once for all of them")],
            )
        elif kind == Trigger.Kind.WEBHOOK:
            self.fields["source"] = forms.ChoiceField(label="Who sends it", choices=list(payloads.SOURCES.items()))
        else:
            queues = Queue.objects.filter(team=agent.team_id, archived_at=None).values_list("slug", "name")
            self.fields["queue"] = forms.ChoiceField(choices=[("", "Choose a queue"), *queues])

    def config(self) -> dict[str, Any]:
        names = ("cron", "time_zone", "catch_up", "source", "queue")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name)}
