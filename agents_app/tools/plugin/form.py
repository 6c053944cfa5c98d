"""The form of a plug-in."""

from typing import Any

from django import forms

from agents_app import plugins
from agents_app.tools.form import ToolForm


class PluginForm(ToolForm):
    own = ("plugin",)

    plugin = forms.ChoiceField(label="Tool of a package")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = plugins.allowed(plugins.TOOLS).values()
        field: forms.ChoiceField = self.fields["plugin"]  # type: ignore[assignment]
        field.choices = [(one.name, f"{one.name} ({one.package} {one.version})") for one in found if not one.trouble]
        self.fields["description"].required = False
        self.fields["description"].help_text = "Empty: what the package says of it."

    def changes(self) -> dict[str, Any]:
        cleaned = super().changes()
        if not cleaned["description"]:
            tool = plugins.allowed(plugins.TOOLS)[cleaned["config"]["plugin"]].object
            cleaned["description"] = str(getattr(tool, "description", "") or cleaned["name"])[:2_000]
        return cleaned
