"""What the forms of the catalog share."""

from typing import Any

from django import forms

from console.catalog.models import ModelVersion
from console.catalog.queries.comparison import lacks


class VersionField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A model version, by provider; with `beside`, also what it lacks that one has."""

    beside: ModelVersion | None = None

    def label_from_instance(self, version: Any) -> str:
        small = " (small, for trying things out)" if version.provider.is_builtin else ""
        missing = lacks(version, self.beside) if self.beside else []
        return f"{version}{small}{': ' if missing else ''}{', '.join(missing)}"
