"""Forms of widgets: from what a person types to `widget_fields.py`, and back."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet

from agents_app.models import Agent
from console.chat.embed.limits import DEFAULTS, MOST
from console.chat.embed.texts import LANGUAGES
from console.chat.models import Position, Widget
from console.chat.queries.widgets import agents_answering
from console.chat.widget_fields import (
    COST,
    FIELDS,
    LIMIT_TITLES,
    LONGEST_GREETING,
    LONGEST_NAME,
    MOST_QUESTIONS,
    checked,
)
from console.core.errors import BadInput
from console.core.forms import offer
from console.teams.forms.base import TeamField
from console.teams.models import Team

_MICROS = 1_000_000
_LINES = {"rows": 3, "spellcheck": "false"}


class NewWidgetForm(forms.Form):
    """What a widget needs to begin with; everything else has a page to be tried on."""

    name = forms.CharField(
        max_length=LONGEST_NAME,
        help_text="For your team, for example where the widget is.",
        widget=forms.TextInput(attrs={"placeholder": "Help centre", "autocomplete": "off"}),
    )
    team = TeamField(help_text="Its quotas are charged, and its members can answer visitors.")
    agent = forms.ModelChoiceField(
        Agent.objects.none(),
        to_field_name="slug",
        empty_label=None,
        label="Assistant",
        help_text="Who answers visitors.",
    )
    origins = forms.CharField(
        required=False,
        label="Sites that may show it",
        help_text="One per line: scheme, host and port, exactly. You can add them later.",
        widget=forms.Textarea(attrs={**_LINES, "class": "mono", "placeholder": "https://shop.example"}),
    )

    def __init__(
        self, *args: Any, teams: QuerySet[Team], agents: QuerySet[Agent], team: Team | None, **kwargs: Any
    ) -> None:
        """Offer of `agents` those that answer `team`, the one that is chosen."""
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)
        field: forms.ModelChoiceField[Agent] = self.fields["agent"]  # type: ignore[assignment]
        field.queryset = agents
        self.offered = list(agents.filter(pk__in=agents_answering(team).values("pk"))) if team else []
        field.widget.choices = [(agent.slug, agent.name) for agent in self.offered]
        if not self.offered:
            field.help_text = field.error_messages["required"] = f"No assistant answers {team} yet."
            self.use_required_attribute = False  # a browser would not let another team be sent

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        team, agent = given.get("team"), given.get("agent")
        if team and agent and agent not in self.offered:
            instead = "Choose one of its assistants." if self.offered else f"No assistant answers {team} yet."
            self.add_error("agent", f"{agent.name} does not answer {team}. {instead}")
        return given

    def clean_origins(self) -> list[str]:
        return list(_checked("origins", self.cleaned_data["origins"].splitlines()))


class WidgetForm(forms.Form):
    """Everything about a widget. An empty limit is the usual one."""

    shown_at = {f"limits.{name}": f"limit_{name}" for name in LIMIT_TITLES}

    name = forms.CharField(max_length=LONGEST_NAME, help_text="For your team.")
    title = forms.CharField(
        required=False, max_length=LONGEST_NAME, help_text="What visitors read above the conversation."
    )
    colour = forms.CharField(max_length=7, widget=forms.TextInput(attrs={"type": "color"}))
    position = forms.ChoiceField(choices=Position.choices, widget=forms.RadioSelect)
    greeting = forms.CharField(
        required=False,
        max_length=LONGEST_GREETING,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Shown before a visitor writes. Empty: the assistant’s opening message.",
    )
    suggested_questions = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"One per line, {MOST_QUESTIONS} at most. Empty: the assistant's own.",
    )
    language = forms.ChoiceField(
        choices=list(LANGUAGES.items()),
        help_text="For buttons and notices. The assistant’s language depends on its instructions.",
    )
    agent = forms.ModelChoiceField(
        Agent.objects.none(), to_field_name="slug", empty_label=None, label="Assistant", help_text="Who answers."
    )
    origins = forms.CharField(
        required=False,
        label="Sites that may show it",
        help_text="One per line: scheme, host and port, exactly. Other sites get no answer. http is allowed for "
        "localhost only.",
        widget=forms.Textarea(attrs={**_LINES, "class": "mono", "placeholder": "https://shop.example"}),
    )
    needs_identity = forms.BooleanField(
        required=False,
        label="Only visitors verified by the site",
        help_text="Everybody else is asked to sign in on the site.",
        widget=forms.CheckboxInput(attrs={"class": "switch"}),
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, widget: Widget, agents: QuerySet[Agent]) -> None:
        super().__init__(data, initial=_initial(widget))
        for name, label in LIMIT_TITLES.items():
            self.fields[f"limit_{name}"] = _limit_field(name, label)
        offer(self, "agent", agents | Agent.objects.filter(pk=widget.agent_id))

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        return [self[f"limit_{name}"] for name in LIMIT_TITLES]

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        for name in ("origins", "suggested_questions"):
            if name in given:
                given[name] = given[name].splitlines()
        for name in FIELDS:
            if name in given:
                try:
                    given[name] = _checked(name, given[name])
                except forms.ValidationError as wrong:
                    self.add_error(name, wrong)
        return given

    def values(self) -> dict[str, Any]:
        """Return the fields of a checked form as services take them."""
        given = self.cleaned_data
        limits = {name: given[f"limit_{name}"] for name in DEFAULTS}
        if limits[COST] is not None:
            limits[COST] = int(limits[COST] * _MICROS)
        return {
            "agent": given["agent"],
            **{name: given[name] for name in FIELDS if name in given},
            "limits": {name: limit for name, limit in limits.items() if limit is not None},
        }


def _checked(name: str, value: Any) -> Any:
    try:
        return checked({name: value})[name]
    except BadInput as wrong:
        raise forms.ValidationError(wrong.message) from None


def _limit_field(name: str, label: str) -> forms.Field:
    usual, most = DEFAULTS[name], MOST[name]
    if name == COST:
        return forms.DecimalField(
            required=False,
            label=f"{label}, in {settings.CURRENCY}",
            min_value=0,
            max_value=Decimal(most) / _MICROS,
            decimal_places=6,
            help_text="In addition to the team's quotas.",
            widget=forms.NumberInput(attrs={"placeholder": f"{usual / _MICROS:.2f}", "step": "any"}),
        )
    return forms.IntegerField(
        required=False,
        label=label,
        min_value=1,
        max_value=most,
        widget=forms.NumberInput(attrs={"placeholder": f"{usual:,}"}),
    )


def _initial(widget: Widget) -> dict[str, Any]:
    limits: Mapping[str, Any] = widget.limits
    cost = limits.get(COST)
    return {
        **{name: getattr(widget, name) for name in FIELDS},
        "agent": widget.agent.slug,
        "origins": "\n".join(widget.origins),
        "suggested_questions": "\n".join(widget.suggested_questions),
        "seen_revision": widget.revision,
        **{f"limit_{name}": limits.get(name) for name in DEFAULTS},
        f"limit_{COST}": Decimal(cost) / _MICROS if cost is not None else None,
    }
