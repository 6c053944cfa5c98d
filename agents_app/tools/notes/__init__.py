"""What a run keeps in mind for itself."""

from agents_app.tools.notes.kind import Notes

__all__ = ["Notes"]
