"""The form of a trigger: one for all kinds, of which each reads its own fields."""

from typing import Any

from django import forms

from agents_app.brokers import config
from agents_app.models import Agent, Broker, Queue, Trigger
from agents_app.tools.fields import JsonField
from agents_app.triggers import payloads
from agents_app.triggers.tokens import WAYS
from console.core import schedules
from console.core.forms import MONO
from console.teams.models import Environment

_INPUT = {
    Trigger.Kind.SCHEDULE: "JSON. Without them a run is told which tick it is of.",
    Trigger.Kind.WEBHOOK: "JSON. What a delivery says itself wins.",
    Trigger.Kind.QUEUE: "JSON. What an item or message says itself wins.",
}


class OverlapForm(forms.Form):
    """How long the tokens before a new one go on."""

    overlap = forms.ChoiceField(
        label="The token before",
        choices=[
            ("24h", "Goes on for 24 hours"),
            ("1h", "Goes on for one hour"),
            ("7d", "Goes on for seven days"),
            ("0", "Stops now"),
        ],
        help_text="So long the service may still send it.",
    )


class TriggerForm(forms.Form):
    name = forms.CharField(max_length=80)
    environment = forms.ChoiceField(choices=Environment.choices, initial=Environment.PRODUCTION)
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, agent: Agent, kind: str, is_outside: bool = False, initial: Any = None
    ) -> None:
        super().__init__(data, initial=initial)
        if initial is None:
            del self.fields["seen_revision"]
        self.kind, self.is_outside = kind, is_outside
        if kind == Trigger.Kind.SCHEDULE:
            self.fields["cron"] = forms.CharField(
                max_length=100,
                label="Cron expression",
                widget=forms.TextInput(attrs={**MONO, "placeholder": "*/5 * * * *"}),
                help_text="Minute, hour, day, month, day of the week: 0 7 * * MON-FRI is seven on working days.",
            )
            self.fields["time_zone"] = forms.CharField(
                max_length=60, initial="UTC", widget=forms.TextInput(attrs=MONO), help_text="As Europe/Berlin."
            )
            self.fields["catch_up"] = forms.ChoiceField(
                label="Ticks nobody was there for",
                choices=[(schedules.SKIP, "Leave them out"), (schedules.ONCE, "Run once for all of them")],
            )
        elif kind == Trigger.Kind.WEBHOOK:
            self.fields["source"] = forms.ChoiceField(label="Who sends it", choices=list(payloads.SOURCES.items()))
            self.fields["auth"] = forms.ChoiceField(
                label="How it proves itself",
                choices=list(WAYS.items()),
                required=False,
                help_text="A signature shows that nobody changed or kept a delivery; Grafana signs, and what you write "
                "yourself can. A bearer token is for services that cannot, as Alertmanager.",
            )
        elif is_outside:
            self._ask_for_queue_outside(agent)
        else:
            queues = Queue.objects.filter(team=agent.team_id, archived_at=None).values_list("slug", "name")
            self.fields["queue"] = forms.ChoiceField(choices=[("", "Choose a queue"), *queues])
        self.fields["input"] = JsonField(
            rows=3,
            required=False,
            label="Values every run gets",
            placeholder=_placeholder(agent),
            help_text=_INPUT[Trigger.Kind(kind)],
        )

    @classmethod
    def of(cls, trigger: Trigger, data: Any = None) -> "TriggerForm":
        """Return the form filled with what a trigger is."""
        return cls(
            data,
            agent=trigger.agent,
            kind=trigger.kind,
            is_outside="broker" in trigger.config,
            initial={
                "name": trigger.name,
                "environment": trigger.environment,
                "seen_revision": trigger.revision,
                **trigger.config,
            },
        )

    def _ask_for_queue_outside(self, agent: Agent) -> None:
        brokers = Broker.objects.filter(team=agent.team_id).values_list("slug", "name")
        self.fields["broker"] = forms.ChoiceField(choices=[("", "Choose a broker"), *brokers])
        self.fields["queue"] = _queue("Queue to read", "orders.refunds", "Of SQS its URL. It must be there already.")
        self.fields["result_queue"] = _queue(
            "Queue for results", "orders.refunds.done", "Gets what came of each message.", is_required=False
        )
        self.fields["parking_queue"] = _queue(
            "Parking queue",
            "orders.refunds.parked",
            "Gets a copy of each message that is set aside; the message itself is kept here.",
            is_required=False,
        )
        self.fields["dedupe"] = forms.CharField(
            max_length=100,
            initial="id",
            label="What tells messages apart",
            widget=forms.TextInput(attrs=MONO),
            help_text="id: the message’s own. header:NAME, a field as /order/id, or body: two with the same are one.",
        )
        self.fields["at_once"] = forms.IntegerField(
            min_value=1,
            max_value=100,
            initial=config.AT_ONCE,
            label="Runs at once",
            help_text="More stay at the broker.",
        )
        self.fields["attempts"] = forms.IntegerField(
            min_value=1,
            max_value=100,
            initial=config.ATTEMPTS,
            label="Attempts",
            help_text="A message whose run cannot even be started is set aside after these.",
        )

    def config(self) -> dict[str, Any]:
        names = ("cron", "time_zone", "catch_up", "source", "auth", "queue", "input", *sorted(config.OWN))
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name)}


def _placeholder(agent: Agent) -> str:
    """Return what a value looks like: the first field the agent asks for."""
    schema = agent.live.input_schema if agent.live else None
    name = next(iter((schema or {}).get("properties", {})), "message")
    return f'{{"{name}": "…"}}'


def _queue(label: str, example: str, help_text: str, *, is_required: bool = True) -> forms.CharField:
    return forms.CharField(
        max_length=255,
        required=is_required,
        label=label,
        widget=forms.TextInput(attrs={**MONO, "placeholder": example}),
        help_text=help_text,
    )
