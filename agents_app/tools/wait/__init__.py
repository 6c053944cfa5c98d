"""Letting time pass."""

from agents_app.tools.wait.kind import Wait

__all__ = ["Wait"]
