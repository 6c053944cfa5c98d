"""The form of a draft: from what a person types to `Definition`, and back."""

import json
from typing import Any

from django import forms

from agents_app.definition import CALL_LIMITS, LIMITS, LONGEST_OPENING, MOST_QUESTIONS, checked
from agents_app.models import Agent, AgentDraft
from agents_app.queries.choices import aliases_of, collections_of, variables_of
from console.core import strict_json
from console.core.errors import BadInput
from console.gateway.shapes.knowledge_ref import MOST_PASSAGES, USUAL_PASSAGES

_SIMPLE = {"temperature": "Temperature", "top_p": "Top p"}
_ROWS = {"rows": 2}
_WHICH_HINT = "Empty: the label of the caller's environment. Or a label (production) or a version number (7)."


class _Prompt(forms.CharField):
    when_needed = "needed to publish"  # said in place of "optional"


class _Alias(forms.ChoiceField):
    when_needed = "needed to publish"


class DraftForm(forms.Form):
    """Everything a draft says. The chosen prompt's variables get a field each, named `var-…`."""

    prompt_slug = _Prompt(
        required=False,
        label="Prompt",
        max_length=200,
        widget=forms.TextInput(
            attrs={"class": "mono", "list": "prompt-names", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Its instructions, from the prompt library.",
    )
    which = forms.CharField(
        required=False,
        label="Label or version",
        max_length=40,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_WHICH_HINT,
    )
    alias = _Alias(required=False, label="Model alias")
    temperature = forms.FloatField(required=False, help_text="0 to 2; the pin's unless given.")
    top_p = forms.FloatField(required=False, label="Top p", help_text="0 to 1.")
    more = forms.CharField(
        required=False,
        label="Others, as JSON",
        widget=forms.Textarea(
            attrs={**_ROWS, "class": "mono", "spellcheck": "false", "placeholder": '{"stop": ["END"]}'}
        ),
    )
    output_tokens = forms.IntegerField(
        required=False, min_value=1, max_value=LIMITS["output_tokens"], label="Max output tokens"
    )
    messages = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LIMITS["messages"],
        label="Conversation length, in messages",
        help_text="Chat sends only the newest; programs that send more are refused.",
    )
    knowledge = forms.MultipleChoiceField(
        required=False, label="Collections", choices=(), widget=forms.CheckboxSelectMultiple
    )
    passages = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_PASSAGES,
        label="Max passages per question",
        help_text=f"{USUAL_PASSAGES} unless given. They count as input tokens.",
    )
    opening_message = forms.CharField(
        required=False,
        max_length=LONGEST_OPENING,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What people read before they ask. It is not sent to the model.",
    )
    suggested_questions = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"One per line, {MOST_QUESTIONS} at most.",
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, agent: Agent, draft: AgentDraft) -> None:
        super().__init__(data, initial=_initial(draft))
        self._agent = agent
        self._other_limits = {name: limit for name, limit in draft.limits.items() if name not in CALL_LIMITS}
        names = [alias.name for alias in aliases_of(agent.team)]
        typed = str(data.get("alias", "")) if data is not None else draft.alias
        kept = [draft.alias] if draft.alias and draft.alias not in names else []
        choices = [("", "Choose an alias"), *((name, name) for name in [*kept, *names])]
        field: forms.ChoiceField = self.fields["alias"]  # type: ignore[assignment]
        field.choices = choices
        if typed in kept:
            field.help_text = f"{agent.team} may not call {typed}, or in production it is no model that chats."
        documents: forms.MultipleChoiceField = self.fields["knowledge"]  # type: ignore[assignment]
        documents.choices = _collections(agent, draft)
        self.variables = variables_of(agent.team, self._asked_for(draft))
        for variable in self.variables:
            self.fields[f"var-{variable['name']}"] = _variable_field(
                variable, draft.prompt_variables.get(variable["name"])
            )

    def _asked_for(self, draft: AgentDraft) -> AgentDraft:
        """Return the prompt that is typed, or what the draft says where that makes no sense."""
        if not self.is_bound:
            return draft
        try:
            return AgentDraft(**checked(self._prompt(self.data.get("prompt_slug", ""), self.data.get("which", ""))))
        except BadInput:
            return AgentDraft()

    @staticmethod
    def _prompt(slug: str, which: str) -> dict[str, Any]:
        which = which.strip()
        is_number = which.isascii() and which.isdecimal()
        return {
            "prompt_slug": slug,
            "prompt_label": "" if is_number else which,
            "prompt_number": int(which) if is_number and len(which) < 10 else None,
        }

    @property
    def has_parameters(self) -> bool:
        """Tell whether there is anything to see among the parameters of a call, a mistake included."""
        names = (*_SIMPLE, *CALL_LIMITS, "more")
        return any(self[name].value() not in (None, "") or self[name].errors for name in names)

    @property
    def variable_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("var-")]

    def clean_more(self) -> dict[str, Any]:
        text = self.cleaned_data["more"].strip()
        try:
            value = strict_json.typed(text, "It") if text else {}
        except BadInput:
            raise forms.ValidationError("This is not JSON.") from None
        if not isinstance(value, dict):
            raise forms.ValidationError('Write an object: {"stop": ["END"]}.')
        return value

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        self._check("prompt_slug", self._prompt(cleaned.get("prompt_slug", ""), ""))
        self._check("which", self._prompt("", cleaned.get("which", "")))
        if "more" in cleaned:
            self._check("more", {"parameters": cleaned["more"]})
        for name in _SIMPLE:
            if cleaned.get(name) is not None:
                self._check(name, {"parameters": {name: cleaned[name]}})
        self._check("knowledge", {"knowledge": cleaned.get("knowledge", [])})
        questions = cleaned.get("suggested_questions", "").splitlines()
        self._check("suggested_questions", {"suggested_questions": questions})
        return cleaned

    def _check(self, name: str, fields: dict[str, Any]) -> None:
        """Say what is wrong with a field at that field."""
        if name in self.errors:
            return
        try:
            checked(fields)
        except BadInput as wrong:
            self.add_error(name, wrong.message)

    def definition(self) -> dict[str, Any]:
        """Return the fields of a checked form as services take them."""
        cleaned = self.cleaned_data
        parameters = dict(cleaned["more"]) | {name: cleaned[name] for name in _SIMPLE if cleaned[name] is not None}
        values = {variable["name"]: cleaned[f"var-{variable['name']}"] for variable in self.variables}
        return {
            **self._prompt(cleaned["prompt_slug"], cleaned["which"]),
            "prompt_variables": {name: value for name, value in values.items() if value not in (None, "")},
            "alias": cleaned["alias"],
            "parameters": parameters,
            "limits": self._other_limits | {name: cleaned[name] for name in CALL_LIMITS if cleaned[name] is not None},
            "knowledge": cleaned["knowledge"],
            "opening_message": cleaned["opening_message"],
            "suggested_questions": cleaned["suggested_questions"].splitlines(),
        }


def _initial(draft: AgentDraft) -> dict[str, Any]:
    more = {name: value for name, value in draft.parameters.items() if name not in _SIMPLE}
    return {
        "prompt_slug": draft.prompt_slug,
        "which": str(draft.prompt_number or draft.prompt_label),
        "alias": draft.alias,
        **{name: draft.parameters.get(name) for name in _SIMPLE},
        "more": json.dumps(more) if more else "",
        **{name: draft.limits.get(name) for name in CALL_LIMITS},
        "knowledge": draft.knowledge,
        "opening_message": draft.opening_message,
        "suggested_questions": "\n".join(draft.suggested_questions),
        "seen_revision": draft.revision,
    }


def _collections(agent: Agent, draft: AgentDraft) -> list[tuple[str, str]]:
    """Return the collections to choose from; one that is gone stays until somebody leaves it out."""
    found = {one.slug: f"{one.name} ({one.owner})" for one in collections_of(agent.team)}
    return [*found.items(), *((slug, f"{slug} (not there any more)") for slug in draft.knowledge if slug not in found)]


def _variable_field(declared: dict[str, Any], value: Any) -> forms.Field:
    kind, default = declared["type"], declared.get("default")
    hint = f"{default} unless given." if default not in (None, "") else ""
    hint = hint or (f"For example {declared['example']}." if declared.get("example") not in (None, "") else "")
    common: dict[str, Any] = {"required": False, "label": declared["name"], "initial": value, "help_text": hint}
    field: forms.Field
    if kind == "number":
        field = _Number(**common)
    elif kind == "choice":
        choices = [("", "Choose one"), *((one, one) for one in declared["choices"])]
        field = forms.ChoiceField(choices=choices, **common)
    elif kind == "json":
        field = forms.JSONField(widget=forms.Textarea(attrs={**_ROWS, "class": "mono"}), **common)
    else:
        field = forms.CharField(widget=forms.Textarea(attrs=_ROWS), max_length=20_000, **common)
    if declared["is_required"] and default in (None, ""):
        _say_needed(field)
    return field


def _say_needed(field: Any) -> None:
    field.when_needed = _Prompt.when_needed


class _Number(forms.FloatField):
    """A number that stays whole when it is: 7, not 7.0."""

    def to_python(self, value: Any) -> Any:
        number = super().to_python(value)
        return int(number) if number is not None and number.is_integer() else number
