"""The form of a grant: limits for each argument of a tool."""

import json
from typing import Any

from django import forms

from agents_app.definition import RUN_LIMITS, checked
from agents_app.forms.limits import limit_field
from agents_app.grants.parsing import ALLOW, ASK, DENY, check_grants
from agents_app.models import AgentDraft, Tool
from console.core import strict_json
from console.core.errors import BadInput
from console.core.forms import MONO

KINDS = [
    ("", "anything"),
    ("equals", "exactly"),
    ("one_of", "one of"),
    ("range", "from … to …"),
    ("max_length", "max length"),
    ("prefix", "begins with"),
    ("host", "on one of these hosts"),
    ("json", "as written in JSON"),
]


class GrantForm(forms.Form):
    """What is granted. Each argument of the tool has three fields: `kind-…`, `value-…` and `edit-…`."""

    mode = forms.ChoiceField(required=False, label="Calls")
    most_calls = forms.IntegerField(required=False, min_value=1, max_value=1_000_000, label="Max calls per run")
    others_approve = forms.BooleanField(
        required=False,
        label="Require another approver",
        help_text="The person who started the run, or set up its trigger, may not approve.",
    )
    rules = forms.CharField(
        required=False,
        label="Rules, as JSON",
        widget=forms.Textarea(attrs={**MONO, "rows": 3}),
        help_text='[{"id": "large", "effect": "deny", "when": {"amount": {"min": 150}}}]. Deny is stronger than ask,'
        " and ask than allow.",
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, draft: AgentDraft, tool: Tool) -> None:
        self._tool, self._draft = tool, draft
        self._kept: dict[str, Any] = next((grant for grant in draft.grants if grant["tool"] == tool.slug), {})
        super().__init__(data, initial=self._initial())
        default = "ask a person first" if tool.effect == Tool.Effect.WRITE else "go ahead"
        field: forms.ChoiceField = self.fields["mode"]  # type: ignore[assignment]
        field.choices = [
            ("", f"As the tool is marked: {default}"),
            (ALLOW, "Go ahead"),
            (ASK, "Ask a person first"),
            (DENY, "Never, whatever rules allow"),
        ]
        self.names = list(tool.parameters.get("properties", {}))
        for name in self.names:
            kind, value = _typed(self._kept.get("arguments", {}).get(name))
            self.fields[f"kind-{name}"] = forms.ChoiceField(required=False, choices=KINDS, initial=kind, label=name)
            self.fields[f"value-{name}"] = forms.CharField(
                required=False, initial=value, label=f"Value for {name}", widget=forms.TextInput(attrs=MONO)
            )
            self.fields[f"edit-{name}"] = forms.BooleanField(
                required=False, initial=name in self._kept.get("editable", []), label=f"{name} may be edited"
            )

    def _initial(self) -> dict[str, Any]:
        rules = self._kept.get("rules")
        return {
            "mode": self._kept.get("mode", ""),
            "most_calls": self._kept.get("most_calls"),
            "others_approve": self._kept.get("others_approve", False),
            "rules": json.dumps(rules, ensure_ascii=False, indent=1) if rules else "",
            "seen_revision": self._draft.revision,
        }

    @property
    def is_new(self) -> bool:
        return not self._kept

    @property
    def arguments(self) -> list[dict[str, Any]]:
        """Return what the page shows of each argument."""
        properties, required = self._tool.parameters.get("properties", {}), self._tool.parameters.get("required", [])
        return [
            {
                "name": name,
                "type": str(properties[name].get("type", "")) if isinstance(properties[name], dict) else "",
                "about": str(properties[name].get("description", "")) if isinstance(properties[name], dict) else "",
                "is_required": name in required,
                "kind": self[f"kind-{name}"],
                "value": self[f"value-{name}"],
                "edit": self[f"edit-{name}"],
            }
            for name in self.names
        ]

    def clean_rules(self) -> list[Any]:
        text = self.cleaned_data["rules"].strip()
        try:
            rules = strict_json.typed(text, "It") if text else []
        except BadInput:
            raise forms.ValidationError("This is not JSON.") from None
        try:
            check_grants([{"tool": self._tool.slug, "rules": rules}])
        except BadInput as wrong:
            raise forms.ValidationError(wrong.message) from None
        return list(rules)

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        found = {}
        for name in self.names:
            try:
                constraint = self._constraint(name, cleaned.get(f"kind-{name}", ""), cleaned.get(f"value-{name}", ""))
                if constraint:
                    check_grants([{"tool": self._tool.slug, "arguments": {name: constraint}}])
                    found[name] = constraint
            except BadInput as wrong:
                self.add_error(f"value-{name}", wrong.message)
        cleaned["constraints"] = found
        return cleaned

    def _constraint(self, name: str, kind: str, text: str) -> dict[str, Any]:
        """Return what a kind and a typed value come to; BadInput says what to type."""
        text = text.strip()
        if not kind:
            return {}
        if not text:
            raise BadInput("Say what it is limited to.")
        if kind == "equals":
            return {"equals": self._value(name, text)}
        if kind == "one_of":
            return {"one_of": [self._value(name, one.strip()) for one in text.split(",") if one.strip()]}
        if kind == "range":
            return _range(text)
        if kind == "max_length":
            return {"max_length": _number(text)}
        if kind == "host":
            return {"host": [one.strip() for one in text.split(",") if one.strip()]}
        if kind == "json":
            return _object(text)
        return {"prefix": text}

    def _value(self, name: str, text: str) -> Any:
        """Return a typed value as the argument's type wants it."""
        said = self._tool.parameters["properties"][name]
        kind = said.get("type") if isinstance(said, dict) else None
        if kind in {"integer", "number"}:
            return _number(text)
        if kind == "boolean":
            if text not in {"true", "false"}:
                raise BadInput("Type true or false.")
            return text == "true"
        return text

    def grant(self) -> dict[str, Any]:
        """Return the grant of a checked form."""
        cleaned = self.cleaned_data
        said = {
            "mode": cleaned["mode"],
            "arguments": cleaned["constraints"],
            "rules": cleaned["rules"],
            "most_calls": cleaned["most_calls"],
            "editable": [name for name in self.names if cleaned.get(f"edit-{name}")],
            "others_approve": cleaned["others_approve"],
        }
        return {"tool": self._tool.slug, **{word: value for word, value in said.items() if value}}


def _typed(constraint: dict[str, Any] | None) -> tuple[str, str]:
    """Return a constraint as the form types it."""
    if not constraint:
        return "", ""
    if constraint.keys() <= {"min", "max"}:
        return "range", f"{constraint.get('min', '')}..{constraint.get('max', '')}"
    if len(constraint) == 1:
        (word, value), *_ = constraint.items()
        if word in {"one_of", "host"} and not any("," in str(one) for one in value):
            return word, ", ".join(_text(one) for one in value)
        if word in {"equals", "max_length", "prefix"}:
            return word, _text(value)
    return "json", json.dumps(constraint, ensure_ascii=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _number(text: str) -> int | float:
    try:
        value = strict_json.typed(text, "It")
    except BadInput:
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{text[:40]!r} is not a number.")
    return value


def _range(text: str) -> dict[str, Any]:
    low, dots, high = text.partition("..")
    if not dots:
        raise BadInput("Type a range as 1..200; one of the two may be left out.")
    found = {word: _number(side.strip()) for word, side in (("min", low), ("max", high)) if side.strip()}
    if not found:
        raise BadInput("Type at least one end of the range: 1..200.")
    return found


def _object(text: str) -> dict[str, Any]:
    try:
        value = strict_json.typed(text, "It")
    except BadInput:
        value = None
    if not isinstance(value, dict):
        raise BadInput('Write an object: {"min": 1, "max": 200}.')
    return value


class LimitsForm(forms.Form):
    """What a run is held to, what it is given and what it answers with."""

    input_schema = forms.CharField(
        required=False,
        label="Input, as a JSON schema",
        widget=forms.Textarea(attrs={**MONO, "rows": 5}),
        help_text="What a run takes; the start form is generated from it. Empty: one message.",
    )
    output_schema = forms.CharField(
        required=False,
        label="Result, as a JSON schema",
        widget=forms.Textarea(attrs={**MONO, "rows": 5}),
        help_text="A last answer that does not fit is sent back to the model. Empty: text.",
    )
    seen_revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, draft: AgentDraft) -> None:
        schemas = {name: getattr(draft, name) for name in ("input_schema", "output_schema")}
        initial = {name: json.dumps(value, indent=1) if value else "" for name, value in schemas.items()}
        super().__init__(data, initial=initial | {"seen_revision": draft.revision})
        self._draft = draft
        for name in RUN_LIMITS:
            self.fields[name] = limit_field(name, draft.limits.get(name))

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in RUN_LIMITS]

    def clean_input_schema(self) -> Any:
        return self._schema("input_schema")

    def clean_output_schema(self) -> Any:
        return self._schema("output_schema")

    def _schema(self, name: str) -> Any:
        text = self.cleaned_data[name].strip()
        if not text:
            return None
        try:
            value = strict_json.typed(text, "It")
        except BadInput:
            raise forms.ValidationError("This is not JSON.") from None
        try:
            checked({name: value})
        except BadInput as wrong:
            raise forms.ValidationError(wrong.message) from None
        return value

    def definition(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        others = {name: limit for name, limit in self._draft.limits.items() if name not in RUN_LIMITS}
        return {
            "limits": others | {name: cleaned[name] for name in RUN_LIMITS if cleaned[name] is not None},
            "input_schema": cleaned["input_schema"],
            "output_schema": cleaned["output_schema"],
        }
