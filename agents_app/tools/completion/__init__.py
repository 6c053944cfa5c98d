"""Asking another model in the middle of a run."""

from agents_app.tools.completion.kind import Completion

__all__ = ["Completion"]
