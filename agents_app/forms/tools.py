"""The form of each kind of tool, and the small forms of servers and queues."""

from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils.safestring import mark_safe

from agents_app.models import Queue, ToolServer
from agents_app.tools.completion.form import CompletionForm
from agents_app.tools.fetch.form import FetchForm
from agents_app.tools.fields import JsonField, LinesField
from agents_app.tools.form import KEPT, ToolForm
from agents_app.tools.http.form import HttpForm
from agents_app.tools.knowledge.form import KnowledgeForm
from agents_app.tools.person.form import PersonForm
from agents_app.tools.plugin.form import PluginForm
from agents_app.tools.queue.form import QueueForm as QueueToolForm
from agents_app.tools.wait.form import WaitForm
from console.core.forms import MONO, ShortNamed, offer
from console.teams.forms.base import TeamField
from console.teams.models import Team

# Kinds that are not here have nothing to fill in besides what all have.
FORMS: dict[str, type[ToolForm]] = {
    "http": HttpForm,
    "fetch": FetchForm,
    "completion": CompletionForm,
    "queue": QueueToolForm,
    "person": PersonForm,
    "wait": WaitForm,
    "knowledge": KnowledgeForm,
    "plugin": PluginForm,
}


class TryForm(forms.Form):
    arguments = JsonField(required=False, rows=6, label="Arguments, as JSON", placeholder="{}")


class ServerForm(forms.Form):
    """A server by its address, or a program the deployment's settings name."""

    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"placeholder": "Issue tracker"}))
    slug = forms.CharField(
        max_length=20,
        label="Short name",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "issues"}),
        help_text=mark_safe("Stands before its tools’ names: <code>issues__search</code>. It never changes."),
    )
    team = TeamField(help_text="Its agents may be granted its tools.")
    transport = forms.ChoiceField(choices=ToolServer.Transport.choices, label="Transport")
    address = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={**MONO, "placeholder": "https://mcp.example.com/mcp"}),
        help_text="The URL of a server, or the name of a program in the deployment’s settings.",
    )
    secret = forms.CharField(
        max_length=8_000,
        required=False,
        label="Bearer token",
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "mono"}),
        help_text="Kept encrypted and never shown again. It is sent to this address only.",
    )
    clear_secret = forms.BooleanField(required=False, label="Remove token")
    is_enabled = forms.BooleanField(required=False, label="Agents may call its tools")
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, server: ToolServer | None = None, teams: QuerySet[Team] | None = None, **kwargs: Any
    ) -> None:
        if server is not None:
            kwargs["initial"] = {
                "name": server.name,
                "address": server.address,
                "is_enabled": server.is_enabled,
                "seen_revision": server.revision,
            }
        super().__init__(*args, **kwargs)
        if server is None:
            for name in ("clear_secret", "is_enabled", "seen_revision"):
                del self.fields[name]
            offer(self, "team", teams)
            if not settings.MCP_PROGRAMS:
                del self.fields["transport"]
                self.fields["address"].help_text = ""
            return
        for name in ("slug", "team", "transport"):
            del self.fields[name]
        self.fields["address"].help_text = "Tools of a server that moves to another host wait for a review."
        if server.transport == ToolServer.Transport.STDIO:
            del self.fields["secret"], self.fields["clear_secret"]
        elif server.secret:
            self.fields["secret"].label, self.fields["secret"].help_text = "New bearer token", KEPT
        else:
            del self.fields["clear_secret"]

    def changes(self) -> dict[str, Any]:
        cleaned = {name: value for name, value in self.cleaned_data.items() if name != "clear_secret"}
        if "is_enabled" in self.fields:
            cleaned["secret"] = cleaned.get("secret") or ("" if self.cleaned_data.get("clear_secret") else None)
        return cleaned


class QueueForm(ShortNamed):
    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"placeholder": "Refund requests"}))
    slug = forms.CharField(
        max_length=60,
        label="Short name",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "refunds"}),
        help_text="Used by programs and tools. Cannot be changed later.",
    )
    team = TeamField()
    description = forms.CharField(max_length=300, required=False)
    lease_seconds = forms.IntegerField(min_value=10, max_value=86_400, initial=300, label="Lease time, in seconds")
    most_attempts = forms.IntegerField(
        min_value=1, max_value=100, initial=5, label="Attempts", help_text="After this many, an item is parked."
    )
    keep_days = forms.IntegerField(min_value=1, max_value=365, initial=30, label="Keep finished items, in days")
    callback_addresses = LinesField(
        required=False,
        label="Callback addresses",
        placeholder="https://shop.example.com/facet/",
        help_text="One per line; paths below an address are allowed, too. Each item can name one of them.",
    )
    seen_revision = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, queue: Queue | None = None, teams: QuerySet[Team] | None = None, **kwargs: Any
    ) -> None:
        if queue is not None:
            names = ("name", "description", "lease_seconds", "most_attempts", "keep_days", "callback_addresses")
            kwargs["initial"] = {name: getattr(queue, name) for name in names} | {"seen_revision": queue.revision}
        super().__init__(*args, **kwargs)
        if queue is not None:
            del self.fields["slug"], self.fields["team"]
        else:
            del self.fields["seen_revision"]
            offer(self, "team", teams)

    def clean_seen_revision(self) -> int:
        """A page that says none was opened before queues had any: what it saw is older than whatever there is."""
        return self.cleaned_data["seen_revision"] or 0
