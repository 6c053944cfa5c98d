"""The form of an HTTP request."""

from collections.abc import Mapping
from typing import Any

from django import forms

from agents_app.models import Tool
from agents_app.tools import schemas
from agents_app.tools.fields import HeadersField, JsonField
from agents_app.tools.form import ToolForm
from agents_app.tools.http import config as configuration
from agents_app.tools.http.template import PLACE, names_in
from console.core.forms import MONO

_BODIES = (
    ("none", "Nothing"),
    ("rest", "All arguments that fill no place, as they are"),
    ("shape", "As written below"),
    ("{body}", "The argument “body”, as it is"),
)
_PLACES = (
    ("none", "It needs none"),
    ("header", "In a header"),
    ("basic", "As user:password (basic authentication)"),
    ("query", "In the query, as a parameter"),
)


class HttpForm(ToolForm):
    own = ("method", "url", "headers", "body", "encoding", "secret", "pick")
    has_secret = True

    method = forms.ChoiceField(choices=[(name, name) for name in configuration.METHODS], initial="GET")
    url = forms.CharField(
        max_length=2_000,
        label="Address",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "https://api.example.com/orders/{order}?q={words}"}),
        help_text="Arguments in braces, in the path and as values of the query.",
    )
    typed_headers = HeadersField(
        required=False, label="Headers", rows=2, placeholder="Accept-Language: en\nX-Reason: {reason}"
    )
    body_from = forms.ChoiceField(choices=_BODIES, required=False, label="Body")
    shape = JsonField(
        required=False,
        label="Shape of the body",
        rows=5,
        placeholder='{"amount": "{amount}", "note": "for {customer}"}',
    )
    encoding = forms.ChoiceField(choices=[("json", "JSON"), ("form", "Form")], label="Body is sent as", required=False)
    secret_in = forms.ChoiceField(choices=_PLACES, required=False, label="Where the secret goes")
    secret_name = forms.CharField(
        max_length=100, required=False, label="Header or parameter",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "Authorization"}),
    )  # fmt: skip
    secret_prefix = forms.CharField(
        max_length=40, required=False, strip=False, label="Before the secret",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "Bearer "}),
    )  # fmt: skip
    schema = JsonField(
        required=False,
        label="Arguments, as JSON schema",
        rows=10,
        help_text="Empty: a text for each place in the request.",
        placeholder='{"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}',
    )
    pick = forms.CharField(
        max_length=300,
        required=False,
        label="Part of the answer",
        widget=forms.TextInput(attrs={**MONO, "placeholder": "/data/items"}),
        help_text="A JSON pointer. Empty: all of it.",
    )

    def clean_shape(self) -> Any:
        shape = self.cleaned_data["shape"]
        if shape is None and self.cleaned_data.get("body_from") == "shape":
            raise forms.ValidationError("Write the body, or choose another one above.")
        if shape is not None and self.cleaned_data.get("body_from") != "shape":
            raise forms.ValidationError("Sent only if the body is “As written below”: choose that, or empty this.")
        return shape

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in ("body_from", "secret_in"):
            cleaned[name] = "" if cleaned.get(name) == "none" else cleaned.get(name, "")
        if cleaned.get("body_from") == configuration.REST and not cleaned.get("schema") and "schema" not in self.errors:
            self.add_error("schema", "Describe the arguments: without, there are none, and the body is always empty.")
        if cleaned.get("secret") and not cleaned.get("secret_in"):
            self.add_error("secret_in", "Choose where the secret goes, or empty it: so, it would never be sent.")
        return cleaned

    def typed_as(self, tool: Tool) -> dict[str, Any]:
        config = tool.config
        body, place = config.get("body"), config.get("secret") or {}
        return {
            "method": config["method"],
            "url": config["url"],
            "typed_headers": config.get("headers"),
            "body_from": body if isinstance(body, str) else "shape" if body is not None else "none",
            "shape": body if isinstance(body, dict | list) else None,
            "encoding": config.get("encoding"),
            "secret_in": place.get("in", "none"),
            "secret_name": place.get("name", ""),
            "secret_prefix": place.get("prefix", ""),
            "schema": None if tool.parameters == schemas.checked(_of_places(config)) else tool.parameters,
            "pick": config.get("pick"),
        }

    def config(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        body = cleaned.get("body_from") or None
        secret = {"in": cleaned["secret_in"], "name": cleaned["secret_name"], "prefix": cleaned["secret_prefix"]}
        return {
            "method": cleaned["method"],
            "url": cleaned["url"],
            "headers": cleaned.get("typed_headers") or {},
            "body": cleaned.get("shape") if body == "shape" else body,
            "encoding": cleaned.get("encoding") or "json",
            "secret": secret if cleaned.get("secret_in") else None,
            "pick": cleaned.get("pick") or "",
        }

    def schema_typed(self) -> dict[str, Any]:
        typed = self.cleaned_data.get("schema")
        if typed:
            return dict(typed) if isinstance(typed, dict) else {"type": "array"}
        return _of_places(self.config())

    def own_and_more(self) -> tuple[str, ...]:
        return (
            *("method", "url", "typed_headers", "body_from", "encoding", "shape", "schema", "pick"),
            *("secret_in", "secret_name", "secret_prefix"),
        )

    # What a refusal names, and where it is shown.
    shown_at = {
        **{"headers": "typed_headers", "body": "shape", "parameters": "schema"},
        **{"secret": "secret_in", "secret.name": "secret_name", "secret.prefix": "secret_prefix"},
    }


def _of_places(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a request that has none of its own: a text for each place, needed in the path."""
    names = sorted(names_in([config["url"], config.get("headers"), config.get("body")]))
    needed = set(PLACE.findall(config["url"].partition("?")[0]))
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": [name for name in names if name in needed],
    }
