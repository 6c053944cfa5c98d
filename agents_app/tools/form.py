"""The base form of all kinds of tools. Each kind adds its own fields."""

from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet

from agents_app.models import Tool
from agents_app.tools.base import Kind
from console.core.forms import MONO, offer
from console.teams.forms.base import TeamField
from console.teams.models import Team

KEPT = "A secret is set. Leave this empty to keep it; changing the host of the address removes it."


class ToolForm(forms.Form):
    """A new tool of a team, or a change of one. `own` names the kind's fields in their order."""

    own: ClassVar[tuple[str, ...]] = ()
    has_secret: ClassVar[bool] = False

    name = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"placeholder": "Look up an order"}))
    slug = forms.CharField(
        max_length=64,
        label="What the model calls it",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "look_up_order"}),
        help_text="Lower-case letters, digits and underscores. It never changes.",
    )
    team = TeamField(help_text="Its agents may be granted it.")
    description = forms.CharField(
        max_length=2_000,
        label="Description for the model",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What it does, when to use it, and what comes back.",
    )
    secret = forms.CharField(
        max_length=8_000,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "mono"}),
        help_text="Kept encrypted and never shown again. It is sent to this address only.",
    )
    clear_secret = forms.BooleanField(required=False, label="Remove secret")
    effect = forms.ChoiceField(
        choices=Tool.Effect.choices,
        label="What it does to the world",
        widget=forms.RadioSelect,
        help_text="Tools that change something need approval, unless an agent’s grant says otherwise.",
    )
    is_idempotent = forms.BooleanField(
        required=False,
        label="Calling it twice does no more than once",
        help_text="If so, a call is retried after a crash; otherwise a person is asked what happened.",
    )
    timeout_seconds = forms.IntegerField(min_value=1, max_value=600, label="Seconds a call may take", initial=30)
    most_bytes = forms.IntegerField(
        min_value=256, max_value=1_000_000, label="Longest result, in bytes", initial=65_536, help_text="More is cut."
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, kind: Kind, tool: Tool | None = None, teams: QuerySet[Team] | None = None, **kwargs: Any
    ) -> None:
        self.kind, self.tool = kind, tool
        if tool is None:
            start = {"description": kind.description, "effect": kind.effect, "is_idempotent": kind.is_idempotent}
        else:
            start = {name: getattr(tool, name) for name in _COMMON} | self.typed_as(tool)
            start["seen_revision"] = tool.revision
        kwargs["initial"] = start | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        gone = ["clear_secret", "seen_revision"] if tool is None else ["slug", "team"]
        if tool is not None and not tool.secret:
            gone.append("clear_secret")
        if not self.has_secret:
            gone += ["secret", "clear_secret"]
        for name in set(gone):
            del self.fields[name]
        if tool is not None and tool.secret and self.has_secret:
            self.fields["secret"].label, self.fields["secret"].help_text = "New secret", KEPT
        if tool is None:
            offer(self, "team", teams)

    def typed_as(self, tool: Tool) -> dict[str, Any]:
        """Return what the kind's own fields show of a tool."""
        return {name: tool.config.get(name) for name in self.own}

    def config(self) -> dict[str, Any]:
        """Return the configuration the kind's own fields say, to be checked by the kind."""
        return {name: self.cleaned_data.get(name) for name in self.own}

    def schema_typed(self) -> dict[str, Any] | None:
        """Return the schema typed, None for kinds with arguments of their own."""
        return None

    def changes(self) -> dict[str, Any]:
        """Return what a service takes: the fields everybody has, the configuration, and the secret to set."""
        cleaned = {name: self.cleaned_data[name] for name in _COMMON if name in self.cleaned_data}
        cleaned["config"] = self.config()
        if (parameters := self.schema_typed()) is not None:
            cleaned["parameters"] = parameters
        if self.tool is None:
            cleaned |= {"slug": self.cleaned_data["slug"], "team": self.cleaned_data["team"]}
            cleaned["secret"] = self.cleaned_data.get("secret") or ""
        else:
            cleaned["seen_revision"] = self.cleaned_data["seen_revision"]
            cleaned["secret"] = self.cleaned_data.get("secret") or (
                "" if self.cleaned_data.get("clear_secret") else None
            )
        return cleaned

    @property
    def about_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("name", "slug", "team", "description") if name in self.fields]

    @property
    def own_fields(self) -> list[forms.BoundField]:
        names = (*self.own_and_more(), "secret", "clear_secret")
        return [self[name] for name in names if name in self.fields]

    def own_and_more(self) -> tuple[str, ...]:
        return self.own

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("effect", "is_idempotent", "timeout_seconds", "most_bytes")]


_COMMON = ("name", "description", "effect", "is_idempotent", "timeout_seconds", "most_bytes")
