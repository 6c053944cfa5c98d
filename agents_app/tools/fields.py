"""Form fields shared by kinds of tools: JSON, lines of text, headers."""

import json
from typing import Any

from django import forms

from agents_app.tools.base import written_json
from console.core import strict_json
from console.core.errors import BadInput
from console.core.forms import MONO


class JsonField(forms.CharField):
    """An object typed as JSON; empty is None."""

    def __init__(self, *, rows: int = 6, most: int = 100_000, placeholder: str = "", **kwargs: Any) -> None:
        attrs = {**MONO, "rows": rows, "placeholder": placeholder}
        super().__init__(max_length=most, widget=forms.Textarea(attrs=attrs), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else written_json(value)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text or not text.strip():
            return None
        try:
            made, _ = strict_json.loads(text.encode(errors="surrogatepass"))
        except BadInput as wrong:
            raise forms.ValidationError(wrong.message.replace("The body", "This")) from None
        if not isinstance(made, dict | list):
            raise forms.ValidationError("Write an object: {…}.")
        return made

    def validate(self, value: Any) -> None:
        if value is None and self.required:
            raise forms.ValidationError("This field is required.")

    def run_validators(self, value: Any) -> None:
        super().run_validators(json.dumps(value) if value is not None else "")


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    def __init__(self, *, rows: int = 3, placeholder: str = "", **kwargs: Any) -> None:
        attrs = {**MONO, "rows": rows, "placeholder": placeholder}
        super().__init__(max_length=20_000, widget=forms.Textarea(attrs=attrs), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def validate(self, value: Any) -> None:
        if not value and self.required:
            raise forms.ValidationError("This field is required.")

    def run_validators(self, value: Any) -> None:
        super().run_validators("\n".join(value))


class HeadersField(LinesField):
    """Headers, one `Name: value` a line."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{name}: {said}" for name, said in value.items()) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        made: dict[str, str] = {}
        for line in super().to_python(value):
            name, colon, said = line.partition(":")
            if not colon or not name.strip():
                raise forms.ValidationError(f"{line[:60]!r} is not a header; write Name: value.")
            if name.strip() in made:
                raise forms.ValidationError(f"{name.strip()} is named twice.")
            made[name.strip()] = said.strip()
        return made

    def run_validators(self, value: Any) -> None:
        return None
