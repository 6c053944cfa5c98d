"""Searching a team's documents."""

from agents_app.tools.knowledge.kind import Knowledge

__all__ = ["Knowledge"]
