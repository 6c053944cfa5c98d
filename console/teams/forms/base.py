"""What the forms of teams share."""

import re
from typing import Any

from django import forms

from console.teams.models import Team

_SPLIT = re.compile(r"[\s,;]+")
_BARE = (forms.CheckboxInput, forms.CheckboxSelectMultiple, forms.RadioSelect, forms.HiddenInput)


class ConsoleForm(forms.Form):
    """A form whose controls look like the design system's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for bound in self.fields.values():
            if isinstance(bound.widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
                bound.widget.attrs.setdefault("class", "choices")
            elif not isinstance(bound.widget, _BARE):
                bound.widget.attrs.setdefault("class", "control")


class TeamField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A team by its short name, of those the form offers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Team.objects.none(), to_field_name="slug", empty_label=None, **kwargs)


class WordsField(forms.CharField):
    """Names separated by commas, spaces or lines; a list without doubles, with room for fifty names of 100."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=6000, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.clean(data) != list(initial or ()))

    def clean(self, value: Any) -> list[str]:
        return list(dict.fromkeys(word for word in _SPLIT.split(super().clean(value)) if word))


class Confirm(ConsoleForm):
    """Nothing to fill in: the button is the answer."""


class ConfirmOperator(Confirm):
    """Says what was asked for, so that a page that has become old does not do the opposite."""

    becomes = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")], widget=forms.HiddenInput)
