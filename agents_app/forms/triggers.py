"""The form of a trigger: one for all kinds; each reads its own fields."""

from typing import Any

from django import forms

from agents_app.brokers import config
from agents_app.models import Agent, Broker, Queue, Trigger
from agents_app.tools.fields import JsonField
from agents_app.triggers.payloads import ALERTMANAGER, SOURCES
from agents_app.triggers.tokens import TOKEN, WAYS
from console.core import schedules
from console.core.forms import MONO
from console.teams.models import Environment

_INPUT = {
    Trigger.Kind.SCHEDULE: "JSON. Empty: the run gets the time of its tick.",
    Trigger.Kind.WEBHOOK: "JSON. Values in a delivery take precedence.",
    Trigger.Kind.QUEUE: "JSON. Values in an item or message take precedence.",
}


class OverlapForm(forms.Form):
    """How long the tokens before a new one continue."""

    overlap = forms.ChoiceField(
        label="Old token",
        choices=[
            ("24h", "Valid for 24 hours"),
            ("1h", "Valid for 1 hour"),
            ("7d", "Valid for 7 days"),
            ("0", "Revoked now"),
        ],
        help_text="How long the old token stays valid.",
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
                label="Missed ticks",
                choices=[(schedules.SKIP, "Skip them"), (schedules.ONCE, "Run once for all")],
            )
        elif kind == Trigger.Kind.WEBHOOK:
            self.fields["source"] = forms.ChoiceField(label="Sender", choices=list(SOURCES.items()))
            self.fields["auth"] = forms.ChoiceField(
                label="Authentication",
                choices=list(WAYS.items()),
                required=False,
                help_text="A signature protects deliveries from tampering and replay; Grafana and your own code can "
                "sign. Use a bearer token for services that cannot, such as Alertmanager.",
            )
        elif is_outside:
            self._ask_for_queue_outside(agent)
        else:
            queues = Queue.objects.filter(team=agent.team_id, archived_at=None).values_list("slug", "name")
            self.fields["queue"] = forms.ChoiceField(choices=[("", "Choose a queue"), *queues])
        self.fields["input"] = JsonField(
            rows=3,
            required=False,
            label="Input for every run",
            placeholder=_placeholder(agent),
            help_text=_INPUT[Trigger.Kind(kind)],
        )

    def clean_auth(self) -> str:
        """Alertmanager cannot sign: a new trigger whose deliveries could never arrive is not made."""
        auth: str = self.cleaned_data["auth"]
        if auth != TOKEN and "seen_revision" not in self.fields and self.cleaned_data.get("source") == ALERTMANAGER:
            raise forms.ValidationError("Alertmanager cannot sign its deliveries: choose a bearer token.")
        return auth

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
        self.fields["queue"] = _queue("Queue to read", "orders.refunds", "For SQS its URL. It must already exist.")
        self.fields["result_queue"] = _queue(
            "Queue for results", "orders.refunds.done", "Receives the result of each message.", is_required=False
        )
        self.fields["parking_queue"] = _queue(
            "Parking queue",
            "orders.refunds.parked",
            "The dead-letter queue: receives a copy of each parked message. The message itself is kept here.",
            is_required=False,
        )
        self.fields["dedupe"] = forms.CharField(
            max_length=100,
            initial="id",
            label="Deduplicate by",
            widget=forms.TextInput(attrs=MONO),
            help_text="id (the message’s own), header:NAME, a field such as /order/id, or body. Messages with the same "
            "value start one run.",
        )
        self.fields["at_once"] = forms.IntegerField(
            min_value=1,
            max_value=100,
            initial=config.AT_ONCE,
            label="Concurrent runs",
            help_text="Further messages stay at the broker.",
        )
        self.fields["attempts"] = forms.IntegerField(
            min_value=1,
            max_value=100,
            initial=config.ATTEMPTS,
            label="Attempts",
            help_text="A message whose run cannot be started is parked after this many.",
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
