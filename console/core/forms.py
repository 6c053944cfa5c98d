"""What forms have in common."""

from typing import Any

from django import forms

from console.core.errors import Refusal

# Attributes of a field for what is no prose: names, addresses, expressions.
MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


class SecretArea(forms.Textarea):
    """A text area for a secret of several lines: as a password field, it never shows what was typed."""

    input_type = "password"

    def get_context(self, name: str, value: object, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


def refuse(form: forms.BaseForm, refusal: Refusal) -> None:
    """Show a service's refusal at the field it names, or above the form.

    Of a name in parts (`config.queue`) the whole, the first and the last part are looked for, in this order. A form
    that calls a field otherwise than services do says so in `shown_at`, by the services' name.
    """
    named = refusal.param or ""
    shown_at = getattr(form, "shown_at", {})
    places = [shown_at.get(name, name) for name in (named, named.partition(".")[0], named.rpartition(".")[2])]
    form.add_error(next((name for name in places if name in form.fields), None), refusal.message)
