"""The form of a broker."""

from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet

from agents_app.models import Broker
from console.core.forms import MONO, ShortNamed, offer
from console.teams.forms.base import TeamField
from console.teams.models import Team


class BrokerForm(ShortNamed):
    """A broker by its address, which holds a password: it is never shown again, and empty leaves it as it is."""

    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"placeholder": "Order events"}))
    slug = forms.CharField(
        max_length=40,
        label="Short name",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "orders"}),
        help_text="Used in triggers. Cannot be changed later.",
    )
    team = TeamField(help_text="Its agents may be started by messages of this broker.")
    url = forms.CharField(
        max_length=1_000,
        label="Address",
        widget=forms.PasswordInput(
            attrs={**MONO, "autocomplete": "off", "placeholder": "amqps://facet:password@mq.internal:5671/orders"}
        ),
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, broker: Broker | None = None, teams: QuerySet[Team] | None = None, **kwargs: Any
    ) -> None:
        if broker is not None:
            kwargs["initial"] = {"name": broker.name, "seen_revision": broker.revision}
        super().__init__(*args, **kwargs)
        hosts = ", ".join(settings.BROKER_HOSTS) or "none yet"
        self.fields["url"].help_text = (
            f"amqp, amqps, redis, rediss or sqs, with user and password; kept encrypted. Hosts this installation may "
            f"call: {hosts}."
        )
        if broker is None:
            del self.fields["seen_revision"]
            offer(self, "team", teams)
            return
        for name in ("slug", "team"):
            del self.fields[name]
        self.fields["url"].required = False
        self.fields["url"].label = "New address"
        self.fields["url"].help_text = f"Now {broker.address}. Leave it empty to keep it."
