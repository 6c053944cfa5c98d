"""Notes of a run."""

from agents_app.tools.notes.kind import Notes

__all__ = ["Notes"]
