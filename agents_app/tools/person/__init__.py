"""Asking people."""

from agents_app.tools.person.kind import Person

__all__ = ["Person"]
